// Loaded modules of this process: their sections and build ids, read from the mapped headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "contract/image.hpp"
#include "win32.hpp"

namespace multiprocessing::platform::win32 {

/// The module that the address lies in; null if in none.
[[nodiscard]] HMODULE module_at(const void* address) noexcept;
[[nodiscard]] std::vector<HMODULE> loaded_modules();
[[nodiscard]] std::string module_path(HMODULE module);
/// How many bytes of memory it lies in, from its handle on.
[[nodiscard]] std::size_t mapped_size(HMODULE module) noexcept;
[[nodiscard]] std::string file_name_of(const std::string& path);

/// The section that holds the offset from the module's base; null if none does.
[[nodiscard]] const IMAGE_SECTION_HEADER* section_at(HMODULE module, std::uint64_t offset) noexcept;

/// Which build it is: the id in its debug directory, else the identity of its file.
[[nodiscard]] ImageKey key_of(HMODULE module, const std::string& path);

[[nodiscard]] inline std::uint64_t offset_in(HMODULE module, const void* address) noexcept {
  return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(module);
}

}  // namespace multiprocessing::platform::win32
