// Taking turns.
#include "connection/turn.hpp"

#include <multiprocessing/errors.hpp>

namespace multiprocessing::runtime {

void Turn::take(const StopToken& stop) {
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
  free_.wait(lock, [&] { return !taken_ || stop.stop_requested(); });
  if (taken_)
    throw CancelledError(
        "another thread uses the connection, and waiting was given up: a stop was requested");
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
