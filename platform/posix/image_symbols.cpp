// Stack frames: from addresses to (image, offset) pairs in the process that has them, and from those to
// names in the process that reads them. Symbols come from the image's own file, so that an image that
// only the other process had loaded is read too; source lines only for images that are loaded here.
#include <cstdlib>
#include <map>
#include <memory>

#include <cxxabi.h>

#include "contract/image.hpp"
#include "image_snapshot.hpp"
#include "mapped_images.hpp"

namespace multiprocessing::platform {
namespace {

using posix::ImageSnapshot;

const ImageSnapshot::Image* image_with(const ImageSnapshot& snapshot, std::uint64_t hash) {
  for (const ImageSnapshot::Image& image : snapshot.images) {
    if (image.hash == hash) return &image;
  }
  return nullptr;
}

// The frames of one image.
struct FileGroup {
  std::string path;
  std::vector<std::size_t> frames;
  std::vector<std::uint64_t> offsets;
};

void read_group(const ImageSnapshot& snapshot, std::uint64_t hash, const FileGroup& group,
                std::vector<Symbol>& symbols) {
  const ImageSnapshot::Image* image = image_with(snapshot, hash);
  std::string file = group.path;
  if (image != nullptr) file = image->main_executable ? posix::executable_file() : image->path;
  const auto base = image != nullptr ? std::optional(image->base) : std::nullopt;
  const std::vector<Symbol> found = posix::read_symbols(file, hash, base, group.offsets);
  for (std::size_t i = 0; i < group.frames.size(); ++i) {
    Symbol& symbol = symbols[group.frames[i]];
    if (i < found.size()) symbol = found[i];
    if (image == nullptr) continue;
    posix::add_source_line(reinterpret_cast<const void*>(image->base + group.offsets[i]), symbol);
  }
}

}  // namespace

std::vector<FrameLocation> locate_frames(std::span<const void* const> addresses) {
  const auto current = ImageSnapshot::current();
  const ImageSnapshot& snapshot = *current;
  std::vector<FrameLocation> frames;
  frames.reserve(addresses.size());
  for (const void* address : addresses) {
    const auto number = reinterpret_cast<std::uintptr_t>(address);
    if (const ImageSnapshot::Range* range = snapshot.find(number)) {
      const ImageSnapshot::Image& image = snapshot.images[range->image];
      frames.push_back({image.hash, image.path, number - image.base});
    } else {
      frames.push_back({0, {}, number});
    }
  }
  return frames;
}

std::vector<Symbol> find_symbols(std::span<const FrameLocation> frames) {
  const auto current = ImageSnapshot::current();
  const ImageSnapshot& snapshot = *current;
  std::map<std::uint64_t, FileGroup> groups;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (frames[i].image == 0) continue;
    FileGroup& group = groups[frames[i].image];
    group.path = frames[i].path;
    group.frames.push_back(i);
    group.offsets.push_back(frames[i].offset);
  }
  std::vector<Symbol> symbols(frames.size());
  for (const auto& [hash, group] : groups) read_group(snapshot, hash, group, symbols);
  return symbols;
}

namespace posix {

std::string demangle(const char* name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                    std::free);
  return status == 0 && text ? text.get() : name;
}

}  // namespace posix
}  // namespace multiprocessing::platform
