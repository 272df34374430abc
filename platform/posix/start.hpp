// Starting a program from a filled ChildSide. Which way is taken is the leaf's choice: linux/clone.cpp,
// macos/spawn.cpp, freebsd/start.cpp.
#pragma once

#include "child_side.hpp"
#include "sentinel.hpp"

namespace multiprocessing::platform::posix {

struct StartedChild {
  int pid = -1;
  Handle sentinel;                          ///< of open_exact_sentinel
  std::shared_ptr<AnnouncedEnd> announced;  ///< where there is no such thing; else empty
  bool lost = false;                        ///< it has ended, and somebody else took its status
};

/// Blocks until the program is loaded or has failed to; then there is no child.
[[nodiscard]] Result<StartedChild> start_child(ChildSide& side);

/// By fork(), with a pipe that tells of failures: for systems that have no better way.
[[nodiscard]] Result<StartedChild> start_by_fork(ChildSide& side);

/// The failure that a child reported.
[[nodiscard]] Error failure_of(StartStep step, int failure) noexcept;

/// Reaps a child that never became a program.
void reap_failed_start(int pid) noexcept;

/// What it takes to watch a child, made before there is one, so that a lack of descriptors shows in time.
struct Watch {
  Handle spare;                             ///< a ready sentinel, where sentinels are exact
  std::shared_ptr<AnnouncedEnd> announced;  ///< elsewhere
};
[[nodiscard]] Result<Watch> prepare_watch();
/// Watches a child that was just made by fork(). A child that cannot be watched is killed.
[[nodiscard]] Result<StartedChild> watch_forked(int pid, Watch watch);
/// Kills and reaps a child that cannot be watched.
void abandon_start(int pid) noexcept;

}  // namespace multiprocessing::platform::posix
