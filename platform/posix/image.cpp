// Images: locating, resolving and loading. What the loader knows comes from the leaf below elf/ or macos/;
// this file makes keys of it and compares them. A key is the build id that the linker wrote; where there
// is none, what fstat() says of the file. Libraries are keyed by the real path of their file, so that a
// symbolic link and its target are one image. Manual pages: dl_iterate_phdr(3), dlopen(3), realpath(3).
#include "contract/image.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "contract/fault.hpp"
#include "contract/handle.hpp"
#include "error.hpp"
#include "image_snapshot.hpp"
#include "mapped_images.hpp"

namespace multiprocessing::platform {
namespace posix {
namespace {

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string path_of(const MappedImage& image) {
  if (image.main_executable) return executable_name();
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(image.path, nullptr), std::free);
  return real ? real.get() : image.path;
}

ImageKey key_of(const MappedImage& image, const std::string& path) {
  return make_image_key(image.build_id, path, image.main_executable ? executable_file() : path);
}

template <class Number>
void append_bytes(std::vector<std::byte>& bytes, Number number) {
  const auto value = static_cast<std::uint64_t>(number);
  const auto* first = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), first, first + sizeof(value));
}

// The systems disagree on the name of the time of last change.
template <class Stat>
const timespec& change_time(const Stat& status) {
  if constexpr (requires { status.st_mtimespec; }) {
    return status.st_mtimespec;
  } else {
    return status.st_mtim;
  }
}

// Opens before it asks: an emulator shows its guest's executable to open() and itself to stat().
bool file_status(const std::string& file, struct stat& status) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return ::stat(file.c_str(), &status) == 0;
  const Handle owner(descriptor);
  return ::fstat(descriptor, &status) == 0;
}

bool contains(const MappedImage& image, std::uintptr_t address) {
  for (const Segment& segment : image.segments) {
    if (segment.contains(address)) return true;
  }
  return false;
}

// Unknown names are no failure of resolve(): the image may simply have been loaded under this one.
bool has_name(const MappedImage& image, const std::string& name) {
  return base_name(image.path) == name || base_name(path_of(image)) == name;
}

}  // namespace

ImageKey make_image_key(std::span<const std::byte> build_id, const std::string& path,
                        const std::string& file) {
  ImageKey key;
  key.name = base_name(path);
  if (!build_id.empty()) {
    key.id.push_back(static_cast<std::byte>(ImageIdKind::build_id));
    key.id.insert(key.id.end(), build_id.begin(), build_id.end());
    return key;
  }
  key.id.push_back(static_cast<std::byte>(ImageIdKind::file_identity));
  struct stat status = {};
  if (file_status(file, status)) {
    append_bytes(key.id, status.st_dev);
    append_bytes(key.id, status.st_ino);
    append_bytes(key.id, status.st_size);
    append_bytes(key.id, change_time(status).tv_sec);
    append_bytes(key.id, change_time(status).tv_nsec);
  }
  return key;
}

ImageSnapshot ImageSnapshot::take() {
  constexpr std::size_t usual = 16;
  ImageSnapshot snapshot;
  snapshot.images.reserve(usual);
  snapshot.ranges.reserve(usual);
  visit_mapped_images([&](const MappedImage& image) {
    for (const Segment& segment : image.segments) {
      if (segment.executable) snapshot.ranges.push_back({segment.begin, segment.end, snapshot.images.size()});
    }
    // The loader's own path will do where it is whole: a child takes a snapshot when it starts, and has no
    // time to follow every symbolic link.
    // What has no folder is no file: the kernel's own library.
    const bool whole =
        !image.main_executable && (image.path[0] == '/' || std::strchr(image.path, '/') == nullptr);
    std::string path = whole ? image.path : path_of(image);
    const std::uint64_t hash = image_hash(key_of(image, path));
    snapshot.images.push_back({hash, image.base, std::move(path), image.main_executable});
    return false;
  });
  return snapshot;
}

namespace {
std::atomic<const ImageSnapshot*> remembered = nullptr;
std::atomic<bool> forked = false;
}  // namespace

void ImageSnapshot::remember(const ImageSnapshot& snapshot) noexcept { remembered = &snapshot; }

void ImageSnapshot::stay_with_remembered() noexcept { forked = true; }
bool ImageSnapshot::stays_with_remembered() noexcept { return forked; }

std::shared_ptr<const ImageSnapshot> ImageSnapshot::current() {
  const ImageSnapshot* const known = remembered;
  if (forked && known != nullptr) return {std::shared_ptr<void>(), known};  // which lives for ever
  return std::make_shared<const ImageSnapshot>(take());
}

const ImageSnapshot::Range* ImageSnapshot::find(std::uintptr_t address) const noexcept {
  for (const Range& range : ranges) {
    if (range.begin <= address && address < range.end) return &range;
  }
  return nullptr;
}

}  // namespace posix

using posix::MappedImage;

Result<CodeLocation> locate(const void* address) {
  if (auto failure = fault_point(Call::locate)) return *failure;
  const auto number = reinterpret_cast<std::uintptr_t>(address);
  CodeLocation location;
  const bool found = posix::visit_mapped_images([&](const MappedImage& image) {
    if (!posix::contains(image, number)) return false;
    location.path = posix::path_of(image);
    location.image = posix::key_of(image, location.path);
    location.offset = number - image.base;
    location.main_executable = image.main_executable;
    return true;
  });
  if (!found) return Error{Condition::not_found, 0, "locate: no image holds the address"};
  return location;
}

Result<const void*> resolve(const CodeLocation& location) {
  if (auto failure = fault_point(Call::resolve)) return *failure;
  const void* address = nullptr;
  bool same_name = false;
  const bool found = posix::visit_mapped_images([&](const MappedImage& image) {
    if (image.main_executable != location.main_executable) return false;
    if (!image.main_executable && !posix::has_name(image, location.image.name)) return false;
    same_name = true;
    const std::string path = image.build_id.empty() ? posix::path_of(image) : std::string();
    if (posix::key_of(image, path).id != location.image.id) return false;
    const auto number = static_cast<std::uintptr_t>(image.base + location.offset);
    if (posix::contains(image, number)) address = reinterpret_cast<const void*>(number);
    return true;
  });
  if (!found && same_name) return Error{Condition::corrupt, 0, "resolve: the image is another build"};
  if (!found) return Error{Condition::not_found, 0, "resolve: no such image is loaded"};
  if (address == nullptr) return Error{Condition::invalid_argument, 0, "resolve: offset outside the image"};
  return address;
}

Status load_image(const std::string& path) {
  if (auto failure = fault_point(Call::load_image)) return *failure;
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return posix::last_error("stat");
  if (::dlopen(nullptr, RTLD_LAZY) == nullptr) return Error{Condition::not_supported, 0, "dlopen"};
  if (::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) return Error{Condition::corrupt, 0, "dlopen"};
  return {};
}

bool readable_range(const void* begin, std::size_t size) noexcept {
  const auto first = reinterpret_cast<std::uintptr_t>(begin);
  if (size > std::numeric_limits<std::uintptr_t>::max() - first) return false;
  return posix::visit_mapped_images([&](const MappedImage& image) {
    for (const posix::Segment& segment : image.segments) {
      if (segment.readable && segment.begin <= first && first + size <= segment.end) return true;
    }
    return false;
  });
}

bool executable_address(const void* address) noexcept {
  const auto number = reinterpret_cast<std::uintptr_t>(address);
  return posix::visit_mapped_images([&](const MappedImage& image) {
    for (const posix::Segment& segment : image.segments) {
      if (segment.executable && segment.contains(number)) return true;
    }
    return false;
  });
}

}  // namespace multiprocessing::platform
