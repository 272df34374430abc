// A fork with the library's own state in order: locks held, event loop at rest, the parent's children let go.
#pragma once

#include <functional>

#include "contract/process.hpp"

namespace multiprocessing::detail {
class InFlight;
}

namespace multiprocessing::runtime {

/// Forks. `child` runs in the child and has to end it: the copy of the parent's stack that lies below it is
/// not the child's. `own` is the start that makes it; null: that of another process. Standard streams are
/// flushed before. Logs one warning in a process that has threads. Errors: as platform::fork_process().
/// Throws RuntimeError in the thread of the event loop.
[[nodiscard]] platform::Result<platform::ChildProcess> fork_library(const detail::InFlight* own,
                                                                    const std::function<void()>& child);

}  // namespace multiprocessing::runtime
