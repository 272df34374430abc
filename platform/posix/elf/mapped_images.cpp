// The loader's list on ELF systems: dl_iterate_phdr(3), which static programs have too. Its first entry is
// the executable. Offsets count from the load address, which is 0 in position-dependent programs; so an
// offset is an address as the linker wrote it, in symbol tables too.
#include "mapped_images.hpp"

#include <array>
#include <exception>
#include <utility>

#include <link.h>

#include "notes.hpp"

namespace multiprocessing::platform::posix {
namespace {

struct Visit {
  bool (*function)(const MappedImage&, void*);
  void* argument;
  bool first;
  bool stopped;
  std::exception_ptr failure;
};

bool inside(std::span<const Segment> segments, std::uintptr_t begin, std::size_t size) {
  for (const Segment& segment : segments) {
    if (segment.readable && segment.begin <= begin && begin <= segment.end && size <= segment.end - begin)
      return true;
  }
  return false;
}

std::span<const std::byte> build_id_of(const dl_phdr_info& info, std::span<const Segment> segments) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const auto& header = info.dlpi_phdr[i];
    const auto begin = static_cast<std::uintptr_t>(info.dlpi_addr + header.p_vaddr);
    if (header.p_type != PT_NOTE || !inside(segments, begin, header.p_memsz)) continue;
    const std::span notes(reinterpret_cast<const std::byte*>(begin), header.p_memsz);
    const std::span<const std::byte> id = find_build_id(notes, header.p_align);
    if (!id.empty()) return id;
  }
  return {};
}

int visit_entry(dl_phdr_info* info, std::size_t, void* argument) {
  Visit& visit = *static_cast<Visit*>(argument);
  std::array<Segment, 64> segments;
  std::size_t count = 0;
  for (int i = 0; i < info->dlpi_phnum && count < segments.size(); ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    const auto begin = static_cast<std::uintptr_t>(info->dlpi_addr + header.p_vaddr);
    segments[count++] = {begin, begin + header.p_memsz, (header.p_flags & PF_R) != 0,
                         (header.p_flags & PF_X) != 0};
  }
  MappedImage image;
  image.base = info->dlpi_addr;
  image.path = info->dlpi_name != nullptr ? info->dlpi_name : "";
  image.main_executable = std::exchange(visit.first, false);
  image.segments = std::span(segments).first(count);
  image.build_id = build_id_of(*info, image.segments);
  // Not through the C library: to unwind its frames it may have to load the unwinder first, and without
  // memory it ends the process instead.
  try {
    visit.stopped = visit.function(image, visit.argument);
  } catch (...) {
    visit.failure = std::current_exception();
  }
  return visit.stopped || visit.failure != nullptr ? 1 : 0;
}

}  // namespace

bool visit_mapped_images(bool (*visit)(const MappedImage&, void*), void* argument) {
  Visit state{visit, argument, true, false, nullptr};
  ::dl_iterate_phdr(visit_entry, &state);
  if (state.failure != nullptr) std::rethrow_exception(state.failure);
  return state.stopped;
}

std::uint64_t loader_generation() noexcept {
  std::uint64_t changes = 0;
  ::dl_iterate_phdr(
      [](dl_phdr_info* first, std::size_t, void* counted) {
        *static_cast<std::uint64_t*>(counted) = first->dlpi_adds + first->dlpi_subs;
        return 1;
      },
      &changes);
  return changes;
}

}  // namespace multiprocessing::platform::posix
