// The layout of notes: three words (length of the name, length of the contents, type), the name, the
// contents, each padded to the segment's alignment. Manual page: elf(5), "Notes".
#include "notes.hpp"

#include <cstdint>
#include <cstring>

namespace multiprocessing::platform::posix {
namespace {

constexpr std::uint32_t gnu_build_id = 3;

struct NoteHeader {
  std::uint32_t name_size, contents_size, type;
};

}  // namespace

std::span<const std::byte> find_build_id(std::span<const std::byte> notes, std::size_t alignment) noexcept {
  const std::size_t step = alignment == 8 ? 8 : 4;
  const auto padded = [step](std::size_t size) { return (size + step - 1) / step * step; };
  while (notes.size() >= sizeof(NoteHeader)) {
    NoteHeader header;
    std::memcpy(&header, notes.data(), sizeof(header));
    const std::size_t contents = padded(sizeof(header) + header.name_size);
    const std::size_t end = contents + header.contents_size;
    if (end > notes.size()) return {};
    if (header.type == gnu_build_id && header.name_size == 4 &&
        std::memcmp(notes.data() + sizeof(header), "GNU", 4) == 0) {
      return notes.subspan(contents, header.contents_size);
    }
    if (padded(end) > notes.size()) return {};
    notes = notes.subspan(padded(end));
  }
  return {};
}

}  // namespace multiprocessing::platform::posix
