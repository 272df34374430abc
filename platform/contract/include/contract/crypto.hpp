// Random numbers that nobody can guess, from the operating system.
#pragma once

#include <cstddef>
#include <span>

#include "contract/error.hpp"

namespace multiprocessing::platform {

/// Fills the whole buffer. Errors: other. May block only right after the machine was started. Thread-safe.
[[nodiscard]] Status random_bytes(std::span<std::byte> buffer) noexcept;

}  // namespace multiprocessing::platform
