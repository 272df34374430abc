// The system's library for debug information. It is loaded when a name is first asked for, since a child that
// nothing happens to needs none; it serves one thread at a time, and knows the session by a number of ours,
// so that an application's own session is left alone. What a PDB says is exact; without one the names that a
// module exports are all there is, and the nearest one before an address says little about it: it counts only
// within a few kilobytes.
#include "win32.hpp"

#include <dbghelp.h>

#include <array>
#include <mutex>
#include <type_traits>

#include "demangle.hpp"
#include "symbols.hpp"

namespace multiprocessing::platform::win32 {
namespace {

constexpr std::size_t longest_name = 1024;
constexpr std::uint64_t reach_of_exports = 4096;

struct DebugHelp {
  decltype(&::SymGetOptions) get_options = nullptr;
  decltype(&::SymSetOptions) set_options = nullptr;
  decltype(&::SymInitialize) initialize = nullptr;
  decltype(&::SymCleanup) clean_up = nullptr;
  decltype(&::SymLoadModuleExW) load_module = nullptr;
  decltype(&::SymFromAddr) from_address = nullptr;
  decltype(&::SymGetLineFromAddr64) line_from_address = nullptr;
  bool complete = false;

  DebugHelp() noexcept {
    const HMODULE library = LoadLibraryExW(L"dbghelp.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (library == nullptr) return;
    const auto find = [library](auto& function, const char* name) {
      const FARPROC found = GetProcAddress(library, name);
      // By way of a pointer that fits every function: compilers warn of a direct cast.
      function =
          reinterpret_cast<std::remove_reference_t<decltype(function)>>(reinterpret_cast<void (*)()>(found));
      return found != nullptr;
    };
    complete = find(get_options, "SymGetOptions") && find(set_options, "SymSetOptions") &&
               find(initialize, "SymInitialize") && find(clean_up, "SymCleanup") &&
               find(load_module, "SymLoadModuleExW") && find(from_address, "SymFromAddr") &&
               find(line_from_address, "SymGetLineFromAddr64");
  }
};

const DebugHelp& debug_help() {
  static const DebugHelp library;
  return library;
}

// One module, for as long as names are looked up in it.
class Session {
 public:
  explicit Session(const std::wstring& path) noexcept {
    const DebugHelp& help = debug_help();
    if (!help.complete) return;
    options_before_ = help.get_options();
    help.set_options(SYMOPT_UNDNAME | SYMOPT_LOAD_LINES | SYMOPT_FAIL_CRITICAL_ERRORS | SYMOPT_NO_PROMPTS);
    initialized_ = help.initialize(id(), nullptr, FALSE) != FALSE;
    if (!initialized_) return;
    base_ = help.load_module(id(), nullptr, path.c_str(), nullptr, where, 0, nullptr, 0);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    const DebugHelp& help = debug_help();
    if (!help.complete) return;
    if (initialized_) help.clean_up(id());
    help.set_options(options_before_);
  }

  [[nodiscard]] bool is_open() const noexcept { return base_ != 0; }

  [[nodiscard]] Symbol find(std::uint64_t offset) const {
    Symbol found;
    struct {
      SYMBOL_INFO info;
      std::array<char, longest_name> rest;
    } buffer = {};
    buffer.info.SizeOfStruct = sizeof(SYMBOL_INFO);
    buffer.info.MaxNameLen = longest_name;
    DWORD64 displacement = 0;
    if (!debug_help().from_address(id(), base_ + offset, &displacement, &buffer.info)) return found;
    if ((buffer.info.Flags & SYMFLAG_EXPORT) != 0 && displacement > reach_of_exports) return found;
    found.function = demangle(buffer.info.Name);
    found.displacement = displacement;
    IMAGEHLP_LINE64 line = {};
    line.SizeOfStruct = sizeof(line);
    DWORD column = 0;
    if (debug_help().line_from_address(id(), base_ + offset, &column, &line) && line.FileName != nullptr) {
      found.file = line.FileName;
      found.line = line.LineNumber;
    }
    return found;
  }

 private:
  static constexpr DWORD64 where = 0x10000000;  // any address: nothing is mapped there
  /// Any number that no session of the application has.
  [[nodiscard]] static HANDLE id() noexcept {
    static char place;
    return &place;
  }

  DWORD options_before_ = 0;  ///< they are the whole process's
  bool initialized_ = false;
  DWORD64 base_ = 0;
};

}  // namespace

std::vector<Symbol> look_up_symbols(const std::string& path, std::span<const std::uint64_t> offsets) {
  static std::mutex& one_at_a_time = *new std::mutex;
  const auto wide = widen(path);
  if (!wide) return {};
  const std::lock_guard lock(one_at_a_time);
  const Session session(*wide);
  std::vector<Symbol> found;
  if (!session.is_open()) return found;
  for (const std::uint64_t offset : offsets) found.push_back(session.find(offset));
  return found;
}

}  // namespace multiprocessing::platform::win32
