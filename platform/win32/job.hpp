// The job object that ends children when this process ends.
#pragma once

#include "win32.hpp"

namespace multiprocessing::platform::win32 {

/// Made when first asked for, one for each process, never closed by us: the system closes it, and ends its
/// members, whichever way this process ends. What the children start is not taken along.
[[nodiscard]] Result<HANDLE> children_job();

}  // namespace multiprocessing::platform::win32
