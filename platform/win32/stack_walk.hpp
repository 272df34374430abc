// The stack of a thread of this process, from its registers outwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "win32.hpp"

namespace multiprocessing::platform::win32 {

/// Whether stacks can be walked on this processor.
[[nodiscard]] bool stacks_are_walked() noexcept;

/// Fills `addresses` with the instruction that `registers` stand at and the calls that lead to it, innermost
/// first (of each call an address inside the calling instruction), and returns how many there are. The stack
/// has to be that of the calling thread. Neither allocates nor takes the loader's lock.
std::size_t walk_stack(const CONTEXT& registers, std::span<std::uintptr_t> addresses) noexcept;

}  // namespace multiprocessing::platform::win32
