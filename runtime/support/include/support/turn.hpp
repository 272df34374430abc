// Whose turn it is: a lock that a StopToken can end the wait for, since its holder may wait for a peer for
// ever.
#pragma once

#include <multiprocessing/stop_token.hpp>

#include <condition_variable>
#include <mutex>

#include "contract/clock.hpp"

namespace multiprocessing::runtime {

/// Thread-safe. Held from the making of a Turn::Holder to its end.
class Turn {
 public:
  /// `object`: what is used in turns, in words.
  explicit Turn(const char* object) noexcept : object_(object) {}

  class Holder {
   public:
    /// Waits until the turn is free. Throws CancelledError when it had to wait and `stop` was set, and
    /// TimeoutError when it had to wait until the deadline.
    Holder(Turn& turn, const StopToken& stop, platform::Deadline deadline = platform::Deadline::never())
        : turn_(turn) {
      turn_.take(stop, deadline);
    }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    ~Holder() { turn_.give_back(); }

   private:
    Turn& turn_;
  };

 private:
  void take(const StopToken& stop, platform::Deadline deadline);
  void give_back() noexcept;

  const char* const object_;
  std::mutex mutex_;  ///< of taken_; never held while waiting
  std::condition_variable free_;
  bool taken_ = false;
};

}  // namespace multiprocessing::runtime
