// Starting a program from a filled ChildSide. Which way is taken is the leaf's choice: linux/clone.cpp,
// macos/spawn.cpp, freebsd/start.cpp.
#pragma once

#include "child_side.hpp"
#include "sentinel.hpp"

namespace multiprocessing::platform::posix {

struct StartedChild {
  int pid = -1;
  Handle sentinel;
  bool exact = false;  ///< the sentinel is of open_exact_sentinel
  bool lost = false;   ///< it has ended, and somebody else took its status
};

/// Blocks until the program is loaded or has failed to; then there is no child.
[[nodiscard]] Result<StartedChild> start_child(ChildSide& side);

/// By fork(), with a pipe that tells of failures: for systems that have no better way.
[[nodiscard]] Result<StartedChild> start_by_fork(ChildSide& side);

/// The failure that a child reported.
[[nodiscard]] Error failure_of(StartStep step, int failure) noexcept;

/// Reaps a child that never became a program.
void reap_failed_start(int pid) noexcept;

/// Watches a child that was just made by fork(): by an exact sentinel, else by the read end of the pipe
/// that it holds. A child that cannot be watched is killed.
[[nodiscard]] Result<StartedChild> watch_forked(int pid, Handle pipe) noexcept;
/// Kills and reaps a child that cannot be watched.
void abandon_start(int pid) noexcept;

}  // namespace multiprocessing::platform::posix
