// ELF notes: where the linker leaves its build id.
#pragma once

#include <cstddef>
#include <span>

namespace multiprocessing::platform::posix {

/// The build id in the contents of a note segment with that alignment; empty if it holds none, or if it
/// makes no sense.
[[nodiscard]] std::span<const std::byte> find_build_id(std::span<const std::byte> notes,
                                                       std::size_t alignment) noexcept;

}  // namespace multiprocessing::platform::posix
