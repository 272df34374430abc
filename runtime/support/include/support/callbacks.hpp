// The thread in which the library calls users' functions that nobody waits for, such as the callbacks of a
// future. It is not the reactor's, since a fork waits until that rests, and whoever forks may hold a lock
// that such a function wants.
#pragma once

#include <multiprocessing/stop_token.hpp>

#include <cstdint>
#include <functional>

#include "contract/clock.hpp"

namespace multiprocessing::detail {

/// The callbacks of one pool: where the last of them stands in the queue of all.
class CallbackMark {
 public:
  std::uint64_t last = 0;  ///< guarded by the queue's mutex
};

}  // namespace multiprocessing::detail

namespace multiprocessing::runtime {

/// Calls `work` in that thread, in order, and destroys it there; here if the thread cannot be started.
/// Thread-safe. `work` must not throw. `mark`, if not null, notes where it stands.
void run_callback(std::function<void()> work, detail::CallbackMark* mark = nullptr) noexcept;

/// Until every callback that was handed over before has returned, of those that `mark` noted if it is not
/// null; false if the time is over first. True at once in a callback, which cannot wait for itself. Throws
/// CancelledError.
bool wait_for_callbacks(platform::Deadline deadline, const StopToken& stop,
                        const detail::CallbackMark* mark = nullptr);

/// Whether the thread was made.
[[nodiscard]] bool callback_thread_runs() noexcept;

/// For ForkGuard. Between the two no other thread is inside run_callback(); a running callback goes on.
void lock_callbacks() noexcept;
void unlock_callbacks() noexcept;
/// In a forked child, in place of unlock_callbacks(): what waits to be called is the parent's.
void abandon_callbacks() noexcept;

}  // namespace multiprocessing::runtime
