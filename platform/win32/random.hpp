// Random numbers for the backend's own names; not counted by the fault plan.
#pragma once

#include <cstddef>
#include <span>

#include "contract/error.hpp"

namespace multiprocessing::platform::win32 {

[[nodiscard]] Status fill_with_random(std::span<std::byte> buffer) noexcept;

}  // namespace multiprocessing::platform::win32
