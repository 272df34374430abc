// The table of symbols at the end of a file that gcc's linker made, unless it was stripped: the only names
// that the system's own library cannot read. The file may be anything: every offset is checked, and nothing
// is mapped, so that a file that shrinks meanwhile cannot fault.
// https://learn.microsoft.com/windows/win32/debug/pe-format#coff-symbol-table
#include <algorithm>
#include <cstring>
#include <optional>

#include "demangle.hpp"
#include "symbols.hpp"
#include "win32.hpp"

namespace multiprocessing::platform::win32 {
namespace {

static_assert(sizeof(IMAGE_SYMBOL) == IMAGE_SIZEOF_SYMBOL);

// No table of a program that people build is larger; a damaged header must not cost all memory.
constexpr std::uint64_t largest_table = std::uint64_t{1} << 30;

class PeFile {
 public:
  explicit PeFile(const std::string& path) {
    const auto wide = widen_path(path);
    if (!wide) return;
    file_ = Handle(
        raw(CreateFileW(wide->c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        nullptr, OPEN_EXISTING, 0, nullptr)));
    LARGE_INTEGER size = {};
    if (!file_ || !GetFileSizeEx(native(file_), &size)) return;
    size_ = static_cast<std::uint64_t>(size.QuadPart);
    const auto dos = read<IMAGE_DOS_HEADER>(0, 1);
    if (dos.empty() || dos[0].e_magic != IMAGE_DOS_SIGNATURE || dos[0].e_lfanew < 0) return;
    const auto at = static_cast<std::uint64_t>(dos[0].e_lfanew);
    const auto signature = read<DWORD>(at, 1);
    const auto header = read<IMAGE_FILE_HEADER>(at + sizeof(DWORD), 1);
    if (signature.empty() || signature[0] != IMAGE_NT_SIGNATURE || header.empty()) return;
    header_ = header[0];
    sections_ = read<IMAGE_SECTION_HEADER>(
        at + sizeof(DWORD) + sizeof(IMAGE_FILE_HEADER) + header_->SizeOfOptionalHeader,
        header_->NumberOfSections);
  }

  [[nodiscard]] bool has_symbols() const noexcept {
    return header_ && header_->PointerToSymbolTable != 0 && header_->NumberOfSymbols != 0;
  }
  [[nodiscard]] std::vector<IMAGE_SYMBOL> symbols() const {
    return read<IMAGE_SYMBOL>(header_->PointerToSymbolTable, header_->NumberOfSymbols);
  }
  /// The texts that long names lie in, with a zero behind the last.
  [[nodiscard]] std::vector<char> names() const {
    const std::uint64_t at =
        header_->PointerToSymbolTable + std::uint64_t{header_->NumberOfSymbols} * IMAGE_SIZEOF_SYMBOL;
    const auto size = read<DWORD>(at, 1);
    auto names = size.empty() ? std::vector<char>() : read<char>(at, size[0]);
    names.push_back('\0');
    return names;
  }
  [[nodiscard]] const std::vector<IMAGE_SECTION_HEADER>& sections() const noexcept { return sections_; }

 private:
  // `count` entries from `offset` on; none if the file does not hold them all.
  template <class Entry>
  [[nodiscard]] std::vector<Entry> read(std::uint64_t offset, std::uint64_t count) const {
    if (offset > size_ || count > std::min(size_ - offset, largest_table) / sizeof(Entry)) return {};
    std::vector<Entry> entries(static_cast<std::size_t>(count));
    OVERLAPPED place = {};
    place.Offset = static_cast<DWORD>(offset);
    place.OffsetHigh = static_cast<DWORD>(offset >> 32);
    const auto wanted = static_cast<DWORD>(entries.size() * sizeof(Entry));
    DWORD done = 0;
    if (!ReadFile(native(file_), entries.data(), wanted, &done, &place) || done != wanted) return {};
    return entries;
  }

  Handle file_;
  std::uint64_t size_ = 0;
  std::optional<IMAGE_FILE_HEADER> header_;
  std::vector<IMAGE_SECTION_HEADER> sections_;
};

struct Function {
  std::uint64_t offset = 0;
  std::uint64_t end = 0;  // of its section
  IMAGE_SYMBOL symbol = {};
};

// Functions by address. A table says where each starts, not where it ends: it counts up to the next.
std::vector<Function> functions_of(const PeFile& file) {
  std::vector<Function> functions;
  const auto symbols = file.symbols();
  const auto& sections = file.sections();
  for (std::size_t i = 0; i < symbols.size(); i += 1 + std::size_t{symbols[i].NumberOfAuxSymbols}) {
    const IMAGE_SYMBOL& symbol = symbols[i];
    const int section = symbol.SectionNumber;
    if (!ISFCN(symbol.Type) || section <= 0 || static_cast<std::size_t>(section) > sections.size()) continue;
    const IMAGE_SECTION_HEADER& header = sections[static_cast<std::size_t>(section) - 1];
    const std::uint64_t begin = header.VirtualAddress;
    functions.push_back({begin + symbol.Value, begin + header.Misc.VirtualSize, symbol});
  }
  std::stable_sort(functions.begin(), functions.end(),
                   [](const Function& a, const Function& b) { return a.offset < b.offset; });
  return functions;
}

std::string name_of(const IMAGE_SYMBOL& symbol, const std::vector<char>& names) {
  if (symbol.N.Name.Short == 0) {
    const DWORD at = symbol.N.Name.Long;
    return at < names.size() ? demangle(names.data() + at) : std::string();
  }
  char name[sizeof(symbol.N.ShortName) + 1] = {};  // eight characters have no zero behind them
  std::memcpy(name, symbol.N.ShortName, sizeof(symbol.N.ShortName));
  return demangle(name);
}

}  // namespace

std::vector<Symbol> read_coff_symbols(const std::string& path, std::span<const std::uint64_t> offsets) {
  const PeFile file(path);
  if (!file.has_symbols()) return {};
  const auto functions = functions_of(file);
  const auto names = file.names();
  std::vector<Symbol> found(offsets.size());
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const auto after = std::upper_bound(
        functions.begin(), functions.end(), offsets[i],
        [](std::uint64_t value, const Function& function) { return value < function.offset; });
    if (after == functions.begin() || offsets[i] >= std::prev(after)->end) continue;
    found[i].function = name_of(std::prev(after)->symbol, names);
    found[i].displacement = offsets[i] - std::prev(after)->offset;
  }
  return found;
}

}  // namespace multiprocessing::platform::win32
