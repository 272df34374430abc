// Function names from the symbol table of an ELF file: .symtab, or .dynsym where that was stripped. Debug
// information is not needed. The file may be anything: every offset is checked, and nothing is mapped, so
// that a file that shrinks meanwhile cannot fault. Manual page: elf(5).
#include <algorithm>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/handle.hpp"
#include "mapped_images.hpp"
#include "notes.hpp"

namespace multiprocessing::platform::posix {
namespace {

using FileHeader = ElfW(Ehdr);
using ProgramHeader = ElfW(Phdr);
using SectionHeader = ElfW(Shdr);
using SymbolEntry = ElfW(Sym);

// No table of a program that people build is larger; a damaged header must not cost all memory.
constexpr std::uint64_t largest_table = std::uint64_t{1} << 30;

class ElfFile {
 public:
  explicit ElfFile(const std::string& path)
      : handle_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    struct stat status = {};
    if (!handle_ || ::fstat(descriptor(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    size_ = static_cast<std::uint64_t>(status.st_size);
    const auto header = read<FileHeader>(0, 1);
    if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0) return;
    if (header[0].e_ident[EI_CLASS] != (sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32)) return;
    header_ = header[0];
  }

  [[nodiscard]] explicit operator bool() const noexcept { return header_.has_value(); }

  [[nodiscard]] std::vector<std::byte> build_id() const {
    for (const ProgramHeader& program : read<ProgramHeader>(header_->e_phoff, header_->e_phnum)) {
      if (program.p_type != PT_NOTE) continue;
      const auto notes = read<std::byte>(program.p_offset, program.p_filesz);
      const auto id = find_build_id(notes, program.p_align);
      if (!id.empty()) return {id.begin(), id.end()};
    }
    return {};
  }

  struct Table {
    std::vector<SymbolEntry> symbols;
    std::vector<char> names;
  };

  [[nodiscard]] Table symbols() const {
    const auto sections = read<SectionHeader>(header_->e_shoff, header_->e_shnum);
    for (const auto kind : {SHT_SYMTAB, SHT_DYNSYM}) {
      for (const SectionHeader& section : sections) {
        if (static_cast<int>(section.sh_type) != kind || section.sh_link >= sections.size()) continue;
        const SectionHeader& names = sections[section.sh_link];
        Table table{read<SymbolEntry>(section.sh_offset, section.sh_size / sizeof(SymbolEntry)),
                    read<char>(names.sh_offset, names.sh_size)};
        if (table.symbols.empty() || table.names.empty()) continue;
        table.names.push_back('\0');
        return table;
      }
    }
    return {};
  }

 private:
  [[nodiscard]] int descriptor() const noexcept { return static_cast<int>(handle_.get()); }

  // `count` entries from `offset` on; none if the file does not hold them all.
  template <class Entry>
  [[nodiscard]] std::vector<Entry> read(std::uint64_t offset, std::uint64_t count) const {
    if (offset > size_ || count > std::min(size_ - offset, largest_table) / sizeof(Entry)) return {};
    std::vector<Entry> entries(static_cast<std::size_t>(count));
    auto* out = reinterpret_cast<char*>(entries.data());
    std::size_t left = entries.size() * sizeof(Entry);
    while (left > 0) {
      const ssize_t done = ::pread(descriptor(), out, left, static_cast<off_t>(offset));
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return {};
      out += done;
      offset += static_cast<std::uint64_t>(done);
      left -= static_cast<std::size_t>(done);
    }
    return entries;
  }

  Handle handle_;
  std::uint64_t size_ = 0;
  std::optional<FileHeader> header_;
};

bool is_function(const SymbolEntry& symbol) {
  const int type = symbol.st_info & 0xf;
  return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol.st_shndx != SHN_UNDEF;
}

// The function that covers `offset`. One without a size (hand-written assembly) counts up to the next.
const SymbolEntry* covering(const std::vector<SymbolEntry>& by_address, std::uint64_t offset) {
  auto after = std::upper_bound(
      by_address.begin(), by_address.end(), offset,
      [](std::uint64_t value, const SymbolEntry& symbol) { return value < symbol.st_value; });
  while (after != by_address.begin()) {
    const SymbolEntry& symbol = *--after;
    if (symbol.st_size == 0 || offset - symbol.st_value < symbol.st_size) return &symbol;
    // Functions may lie inside one another (aliases of different sizes), but not far apart.
    if (offset - symbol.st_value > 0x100000) return nullptr;
  }
  return nullptr;
}

}  // namespace

std::vector<Symbol> read_symbols(const std::string& path, std::uint64_t image,
                                 std::optional<std::uintptr_t> base, std::span<const std::uint64_t> offsets) {
  const ElfFile file(path);
  if (!file) return {};
  // An image that is loaded here was recognised by its key already; its file may have a second name.
  if (!base && image_hash(make_image_key(file.build_id(), path, path)) != image) return {};
  ElfFile::Table table = file.symbols();
  std::erase_if(table.symbols, [](const SymbolEntry& symbol) { return !is_function(symbol); });
  std::stable_sort(table.symbols.begin(), table.symbols.end(),
                   [](const SymbolEntry& a, const SymbolEntry& b) { return a.st_value < b.st_value; });
  std::vector<Symbol> found(offsets.size());
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const SymbolEntry* symbol = covering(table.symbols, offsets[i]);
    if (symbol == nullptr || symbol->st_name >= table.names.size()) continue;
    found[i].function = demangle(table.names.data() + symbol->st_name);
    found[i].displacement = offsets[i] - symbol->st_value;
  }
  return found;
}

}  // namespace multiprocessing::platform::posix
