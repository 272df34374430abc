// Priority classes in terms of nice(2).
#pragma once

#include "contract/process.hpp"

namespace multiprocessing::platform::posix {

/// Whether a process of this class needs another niceness than ours, and which. Priority is only ever
/// lowered: `normal` is what the parent has.
[[nodiscard]] bool niceness_for(PriorityClass priority, int& niceness) noexcept;

}  // namespace multiprocessing::platform::posix
