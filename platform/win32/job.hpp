// The job object that ends children when this process ends, and the one that limits its memory.
#pragma once

#include <cstdint>

#include "win32.hpp"

namespace multiprocessing::platform::win32 {

/// Made when first asked for, one for each process, never closed by us: the system closes it, and ends its
/// members, whichever way this process ends. What the children start is not taken along.
[[nodiscard]] Result<HANDLE> children_job();

/// Puts this process, and nobody else, into a job that lets it commit no more. The job lasts as long as the
/// process.
[[nodiscard]] Status limit_by_job(std::uint64_t bytes) noexcept;

}  // namespace multiprocessing::platform::win32
