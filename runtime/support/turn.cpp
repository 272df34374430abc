// Taking turns.
#include "support/turn.hpp"

#include <algorithm>
#include <chrono>
#include <multiprocessing/errors.hpp>
#include <string>

namespace multiprocessing::runtime {

void Turn::take(const StopToken& stop, platform::Deadline deadline) {
  {
    const std::scoped_lock lock(mutex_);
    if (!taken_) {
      taken_ = true;
      return;
    }
  }
  // Made and ended without the mutex, which its function takes: so that no stop falls between a look and a
  // wait.
  const StopCallback wake(stop, [this] {
    { const std::scoped_lock lock(mutex_); }
    free_.notify_all();
  });
  std::unique_lock lock(mutex_);
  while (taken_) {
    if (stop.stop_requested())
      throw CancelledError(std::string("another thread uses ") + object_ +
                           ", and waiting was given up: a stop was requested");
    if (deadline.expired())
      throw TimeoutError(std::string("another thread used ") + object_ + " for all of the time");
    constexpr std::chrono::nanoseconds slice = std::chrono::hours(1);
    free_.wait_for(lock, deadline.is_never() ? slice : std::min(deadline.remaining(), slice));
  }
  taken_ = true;
}

void Turn::give_back() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    taken_ = false;
  }
  free_.notify_one();
}

}  // namespace multiprocessing::runtime
