// Which image holds an address, asked of the loader without its lock, in a signal handler too. Leaves:
// linux/code_place.cpp, bsd/code_place.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace multiprocessing::platform::posix {

struct CodePlace {
  std::uint64_t hash = 0;  ///< `image_hash` of the image's key
  std::uintptr_t base = 0;
  std::string_view path;
};

/// Whether find_code() finds this program's own code once this has answered true; else handlers need a
/// snapshot. Not for handlers.
[[nodiscard]] bool prepare_to_find_code();
/// Whether `address`, that of a library's function, may be a stub of a position-dependent program instead: it
/// lies in the program, or nobody can tell. Not for handlers.
[[nodiscard]] bool may_be_stub(std::uintptr_t address) noexcept;
/// The image whose code holds `address`. Async-signal-safe.
[[nodiscard]] std::optional<CodePlace> find_code(std::uintptr_t address) noexcept;

}  // namespace multiprocessing::platform::posix
