// The fault seam of ordinary builds: nothing ever fails on purpose, no fallback is forced, and all of
// it is gone after optimisation. The twin under fault_on is linked by tests only.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "contract/fault_calls.hpp"

namespace multiprocessing::platform {

/// The failure that a plan asks for at this call, if any. Every documented call begins with it.
[[nodiscard]] constexpr std::optional<Error> fault_point(Call) noexcept { return std::nullopt; }

/// How many of `size` bytes this read or write shall handle at most: a plan may cut it.
[[nodiscard]] constexpr std::size_t fault_cut(Call, std::size_t size) noexcept { return size; }

/// Whether this write shall break off: then it writes what is left of these, and fails as broken.
[[nodiscard]] constexpr bool fault_break(std::span<const std::byte>&, std::span<const std::byte>&) noexcept {
  return false;
}

/// Whether a plan wants the system call that comes now to look as if a signal had interrupted it.
[[nodiscard]] constexpr bool fault_interruption() noexcept { return false; }

/// Whether a plan still waits for a call of this name.
[[nodiscard]] constexpr bool fault_is_due(Call) noexcept { return false; }

/// Whether the fallback of this name ("no-pidfd") shall be taken although the system has better.
[[nodiscard]] constexpr bool forced(const char*) noexcept { return false; }

}  // namespace multiprocessing::platform
