// The process's one event loop, made at first use, and the guard that brings it and the other state of this
// folder safely through a fork.
#pragma once

#include "contract/event_loop.hpp"

namespace multiprocessing::runtime {

/// Never destroyed, so that nothing at the program's end has to come before or after it. Thread-safe.
/// Throws OSError if the loop cannot be made.
[[nodiscard]] platform::EventLoop& reactor();
/// The same for who reports errors as the platform does. Errors: those of EventLoop::create().
[[nodiscard]] platform::Result<platform::EventLoop*> find_reactor();

/// Whether the loop, and so its thread, was made.
[[nodiscard]] bool reactor_runs() noexcept;

/// Whether this thread is the loop's, which must not block and runs no function of the user's.
[[nodiscard]] bool in_reactor_thread() noexcept;

/// Stands around platform::fork_process(). The constructor waits until the reactor rests and takes the locks
/// of the log, of the callbacks and of kept handles, so that the child finds all of them whole. It waits for
/// no function of the user's but a log sink, and not long for that: they may want a lock that the caller
/// holds. Then exactly one of in_parent() and in_child() is called; the destructor calls in_parent() if
/// neither was: the fork failed. One fork at a time: the constructor waits for another's.
class ForkGuard {
 public:
  /// Throws RuntimeError in the reactor's thread, which cannot wait for itself to rest.
  ForkGuard();
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;
  ~ForkGuard();

  /// Everything goes on as before.
  void in_parent() noexcept;
  /// The parent's loop is given up; a new one is made at its first use here.
  void in_child() noexcept;

 private:
  platform::EventLoop* loop_ = nullptr;
  bool done_ = false;
};

}  // namespace multiprocessing::runtime
