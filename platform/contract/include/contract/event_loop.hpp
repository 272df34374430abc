// One thread that waits for many things and calls back: handles that become ready, points in time,
// functions that other threads hand it. Built on Boost.Asio by every backend.
//
// Callbacks run in the loop's thread, one at a time; they must not block and must not throw. The thread
// has all signals blocked, so that the application's handlers run in the application's threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "contract/clock.hpp"
#include "contract/handle.hpp"

namespace multiprocessing::platform {

class EventLoop {
 public:
  using Id = std::uint64_t;

  /// Starts the thread. Errors: out_of_handles, out_of_processes, out_of_memory.
  [[nodiscard]] static Result<std::unique_ptr<EventLoop>> create();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  /// Ends the thread after the callback it is in; what was posted later or is watched does not run any more.
  /// Not from the loop's own thread.
  virtual ~EventLoop() = default;

  /// Calls `ready` whenever the handle is ready (wait.hpp), again and again while it stays so, until it
  /// returns false or cancel(). One handle may be watched more than once. It stays the caller's, and must
  /// stay open until cancel() has returned: also when `ready` has returned false, because the loop lets go of
  /// it only afterwards. Errors: invalid_argument, out_of_handles, out_of_memory. Thread-safe.
  [[nodiscard]] virtual Result<Id> watch(RawHandle handle, std::function<bool()> ready) = 0;
  /// Calls `due` once, at the deadline (never before it). Thread-safe.
  [[nodiscard]] virtual Result<Id> at(Deadline deadline, std::function<void()> due) = 0;
  /// When it returns the callback of this watch or timer is not running and will not run again — unless
  /// called from inside a callback, where it just will not run again. An Id that has ended is ignored.
  /// Thread-safe; blocks while that callback runs, so hold no lock that it takes.
  virtual void cancel(Id id) noexcept = 0;
  /// Runs `work` in the loop's thread, in order. Thread-safe.
  virtual void post(std::function<void()> work) = 0;
  [[nodiscard]] virtual bool in_loop_thread() const noexcept = 0;

  /// Around fork_process(): brings the thread to a place where it holds no lock of any kind, and keeps it
  /// there until resume(), which the same thread calls, and which calls no other member in between: they
  /// would wait for ever. Not from the loop's thread. Blocks while a callback runs.
  virtual void quiesce() noexcept = 0;
  virtual void resume() noexcept = 0;
  /// In a forked child, instead of resume() and of destroying: closes the loop's handles and forgets the
  /// thread, which does not exist here. The object may then be destroyed.
  virtual void abandon_in_child() noexcept = 0;

 protected:
  EventLoop() = default;
};

}  // namespace multiprocessing::platform
