// The loader's list on macOS: _dyld_*; image 0 is the executable. Offsets count from the Mach header. The
// key is the UUID that the linker always writes. dyld has no lock that a caller could hold: an image that
// is unloaded meanwhile may be skipped. Manual pages: dyld(3), dladdr(3).
#include "mapped_images.hpp"

#include <array>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <dlfcn.h>
#include <mach-o/dyld.h>
#include <mach-o/loader.h>
#include <mach/vm_prot.h>

namespace multiprocessing::platform::posix {
namespace {

struct Commands {
  std::array<Segment, 64> segments;
  std::size_t count = 0;
  std::span<const std::byte> uuid;
};

Commands read_commands(const mach_header_64* header, std::uintptr_t slide) {
  Commands result;
  const auto* cursor = reinterpret_cast<const std::byte*>(header + 1);
  for (std::uint32_t i = 0; i < header->ncmds; ++i) {
    const auto* command = reinterpret_cast<const load_command*>(cursor);
    if (command->cmd == LC_SEGMENT_64 && result.count < result.segments.size()) {
      const auto* segment = reinterpret_cast<const segment_command_64*>(cursor);
      const auto begin = static_cast<std::uintptr_t>(segment->vmaddr) + slide;
      const int protection = segment->initprot;
      result.segments[result.count++] = {begin, begin + static_cast<std::uintptr_t>(segment->vmsize),
                                         (protection & VM_PROT_READ) != 0,
                                         (protection & VM_PROT_EXECUTE) != 0};
    } else if (command->cmd == LC_UUID) {
      const auto* id = reinterpret_cast<const uuid_command*>(cursor);
      result.uuid = std::as_bytes(std::span(id->uuid));
    }
    cursor += command->cmdsize;
  }
  return result;
}

}  // namespace

bool visit_mapped_images(bool (*visit)(const MappedImage&, void*), void* argument) {
  const std::uint32_t count = ::_dyld_image_count();
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto* header = reinterpret_cast<const mach_header_64*>(::_dyld_get_image_header(i));
    const char* path = ::_dyld_get_image_name(i);
    if (header == nullptr || path == nullptr || header->magic != MH_MAGIC_64) continue;
    const Commands commands =
        read_commands(header, static_cast<std::uintptr_t>(::_dyld_get_image_vmaddr_slide(i)));
    MappedImage image;
    image.base = reinterpret_cast<std::uintptr_t>(header);
    image.path = path;
    image.main_executable = header->filetype == MH_EXECUTE;
    image.segments = std::span(commands.segments).first(commands.count);
    image.build_id = commands.uuid;
    if (visit(image, argument)) return true;
  }
  return false;
}

std::string executable_file() {
  std::string path(PATH_MAX, '\0');
  auto size = static_cast<std::uint32_t>(path.size());
  if (::_NSGetExecutablePath(path.data(), &size) != 0) return {};
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  return real ? real.get() : path.c_str();
}

std::string executable_name() { return executable_file(); }

// dladdr() reads the symbols of loaded images; those that only another process has loaded stay nameless.
std::vector<Symbol> read_symbols(const std::string&, std::uint64_t, std::optional<std::uintptr_t> base,
                                 std::span<const std::uint64_t> offsets) {
  std::vector<Symbol> found(offsets.size());
  if (!base) return found;
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    Dl_info info = {};
    const auto address = *base + static_cast<std::uintptr_t>(offsets[i]);
    if (::dladdr(reinterpret_cast<const void*>(address), &info) == 0 || info.dli_sname == nullptr) continue;
    found[i].function = demangle(info.dli_sname);
    found[i].displacement = address - reinterpret_cast<std::uintptr_t>(info.dli_saddr);
  }
  return found;
}

// A library that took the place of another is not noticed.
std::uint64_t loader_generation() noexcept { return ::_dyld_image_count(); }

}  // namespace multiprocessing::platform::posix
