// What tests of the event loop share: events that happen in its thread and that a test waits for.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "contract/event_loop.hpp"
#include "contract/wait.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::event_loop_tests {

using namespace test_support;

/// Something that happens in the loop and that a test waits for.
///
/// When happens() has returned true, whoever made it happen has done with this object: it may be destroyed.
class Event {
 public:
  void happen() const {
    wakeup_.notify();
    done_ = true;
  }
  void forget() const {
    done_ = false;
    wakeup_.reset();
  }
  [[nodiscard]] bool happens(Deadline deadline = patience()) const {
    const WaitingFor note("an event in the loop");
    if (!wait_one(wakeup_.waitable(), deadline)) return false;
    while (!done_) std::this_thread::yield();  // the other thread is between two lines of happen()
    return true;
  }
  [[nodiscard]] RawHandle handle() const { return wakeup_.waitable(); }

 private:
  Wakeup wakeup_ = must(Wakeup::create());
  mutable std::atomic<bool> done_ = false;
};

inline std::unique_ptr<EventLoop> make_loop() { return must(EventLoop::create()); }

/// Returns when the loop has run everything that was posted before.
inline void pass_through(EventLoop& loop) {
  // A future, not a handle: a wait for a handle orders nothing in ThreadSanitizer's eyes.
  std::promise<void> passed;
  loop.post([&] { passed.set_value(); });
  REQUIRE(passed.get_future().wait_for(time_limit()) == std::future_status::ready);
}

}  // namespace multiprocessing::platform::event_loop_tests
