// What tests of the event loop share: events that happen in its thread and that a test waits for.
#pragma once

#include <doctest/doctest.h>

#include <memory>

#include "contract/event_loop.hpp"
#include "contract/wait.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::event_loop_tests {

using namespace test_support;

/// Something that happens in the loop and that a test waits for.
class Event {
 public:
  void happen() const { wakeup_.notify(); }
  void forget() const { wakeup_.reset(); }
  [[nodiscard]] bool happens(Deadline deadline = patience()) const {
    const WaitingFor note("an event in the loop");
    return wait_one(wakeup_.waitable(), deadline).has_value();
  }
  [[nodiscard]] const Wakeup& wakeup() const { return wakeup_; }
  [[nodiscard]] RawHandle handle() const { return wakeup_.waitable(); }

 private:
  Wakeup wakeup_ = must(Wakeup::create());
};

inline std::unique_ptr<EventLoop> make_loop() { return must(EventLoop::create()); }

/// Returns when the loop has run everything that was posted before.
inline void pass_through(EventLoop& loop) {
  const Event passed;
  loop.post([&] { passed.happen(); });
  REQUIRE(passed.happens());
}

}  // namespace multiprocessing::platform::event_loop_tests
