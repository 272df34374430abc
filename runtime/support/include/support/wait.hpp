// Waiting for handles so that a StopToken can end it. The many-handle form, which keeps a set of handles
// between calls, stands behind <multiprocessing/wait.hpp>.
#pragma once

#include <multiprocessing/stop_token.hpp>

#include <optional>

#include "contract/clock.hpp"
#include "contract/handle.hpp"
#include "contract/wait.hpp"

namespace multiprocessing::runtime {

/// A Wakeup that is notified when a stop is requested, for the calls of the platform that take one. Costs
/// nothing for a token that cannot stop: get() is null then. Throws OSError (out of handles).
class StopWakeup {
 public:
  explicit StopWakeup(const StopToken& stop);
  [[nodiscard]] const platform::Wakeup* get() const noexcept { return wakeup_ ? &*wakeup_ : nullptr; }

 private:
  std::optional<platform::Wakeup> wakeup_;
  std::optional<StopCallback> callback_;  // after wakeup_: it goes first, and the wakeup outlives it
};

/// Waits until the handle is ready: true. False when the deadline passed first. Throws CancelledError when
/// it had to wait and `stop` was set; OSError. What is ready is answered, whether `stop` is set or not.
[[nodiscard]] bool wait_for_handle(platform::RawHandle handle, platform::Deadline deadline,
                                   const StopToken& stop);

/// Lets go of the set of handles that this thread keeps between calls of wait(), if it has one. It is made
/// again when it pays. Before a fork: the child must not touch the set of its parent.
void drop_kept_wait_set() noexcept;

}  // namespace multiprocessing::runtime
