// The event loop: how watches, timers and the loop itself are called off, and what happens around a fork.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/event_loop.hpp"
#include "contract/process.hpp"
#include "loop_events.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"

namespace multiprocessing::platform::event_loop_tests {

using namespace std::chrono_literals;

namespace {

/// Work that posts itself again and again, and counts.
class Busy {
 public:
  explicit Busy(EventLoop& loop) : loop_(loop) { again(); }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() {
    going_ = false;
    pass_through(loop_);
    pass_through(loop_);
  }
  [[nodiscard]] long rounds() const { return rounds_; }
  /// Whether the loop gets on.
  [[nodiscard]] bool moves() const {
    return eventually([this, start = rounds()] { return rounds() > start; });
  }

 private:
  void again() {
    loop_.post([this] {
      ++rounds_;
      if (going_) again();
    });
  }
  EventLoop& loop_;
  std::atomic<long> rounds_ = 0;
  std::atomic<bool> going_ = true;
};

}  // namespace

TEST_SUITE("contract.event_loop_ends") {
  TEST_CASE_FIXTURE(LeakCheck, "a handle may be closed as soon as its watch was cancelled") {
    const auto loop = make_loop();
    for (int i = 0; i < 50; ++i) {
      const Event event;
      const auto id = must(loop->watch(event.handle(), [&] { return true; }));
      if (i % 2 == 0) event.happen();
      loop->cancel(id);
    }
    pass_through(*loop);
  }

  TEST_CASE_FIXTURE(LeakCheck, "cancelling from outside waits for the callback that runs") {
    const auto loop = make_loop();
    for (int round = 0; round < 20; ++round) {
      const Event source;
      const Event inside;
      const Event go_on;
      std::atomic<bool> finished = false;
      std::atomic<int> calls = 0;
      const auto id = must(loop->watch(source.handle(), [&] {
        ++calls;
        inside.happen();
        static_cast<void>(go_on.happens());
        finished = true;
        return true;
      }));
      source.happen();
      REQUIRE(inside.happens());
      auto canceller = std::async(std::launch::async, [&] {
        loop->cancel(id);
        return finished.load();
      });
      go_on.happen();
      CHECK(canceller.get());
      const int so_far = calls;
      pass_through(*loop);
      CHECK(calls == so_far);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a callback may cancel itself, and others") {
    const Event first;
    const Event second;
    const Event done;
    const auto loop = make_loop();
    std::atomic<int> calls = 0;
    std::vector<EventLoop::Id> ids;
    const auto cancel_all = [&] {
      ++calls;
      for (const auto id : ids) loop->cancel(id);
      done.happen();
      return true;
    };
    loop->post([&] {  // in one callback, so that both are watched before one is called
      ids.push_back(must(loop->watch(first.handle(), cancel_all)));
      ids.push_back(must(loop->watch(second.handle(), cancel_all)));
      ids.push_back(must(loop->at(Deadline::after(1h), [&] { ++calls; })));
      first.happen();
      second.happen();
    });
    REQUIRE(done.happens());
    pass_through(*loop);
    CHECK(calls == 1);
  }

  TEST_CASE_FIXTURE(LeakCheck, "identifiers that mean nothing are ignored") {
    const auto loop = make_loop();
    loop->cancel(0);
    loop->cancel(123'456);
    const Event event;
    const auto id = must(loop->watch(event.handle(), [] { return true; }));
    loop->cancel(id);
    loop->cancel(id);
    const Event due;
    const auto timer = must(loop->at(Deadline::now(), [&] { due.happen(); }));
    REQUIRE(due.happens());
    loop->cancel(timer);
    pass_through(*loop);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a cancelled timer does not run, and others still do") {
    const auto loop = make_loop();
    std::atomic<bool> ran = false;
    const Event later;
    loop->post([&] {  // in one callback, so that it is cancelled before it is due
      const auto id = must(loop->at(Deadline::after(1ms), [&] { ran = true; }));
      must(loop->at(Deadline::after(2ms), [&] { later.happen(); }));
      loop->cancel(id);
    });
    const auto far = must(loop->at(Deadline::after(1h), [&] { ran = true; }));
    loop->cancel(far);
    CHECK(later.happens());
    CHECK_FALSE(ran);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a loop that is destroyed runs nothing any more and closes nothing of ours") {
    const Event source;
    std::atomic<bool> destroyed = false;
    std::atomic<bool> ran_after = false;
    {
      auto loop = make_loop();
      source.happen();
      must(loop->watch(source.handle(), [&] {
        if (destroyed) ran_after = true;
        return true;
      }));
      must(loop->at(Deadline::after(1h), [&] { ran_after = true; }));
      for (int i = 0; i < 1000; ++i)
        loop->post([&] {
          if (destroyed) ran_after = true;
        });
      loop.reset();
      destroyed = true;
    }
    CHECK_FALSE(ran_after);
    CHECK(source.happens(Deadline::now()));
  }

  TEST_CASE_FIXTURE(LeakCheck, "what callbacks hold is let go with the loop") {
    const auto held = std::make_shared<int>(1);
    {
      const auto loop = make_loop();
      const Event source;
      const auto id = must(loop->watch(source.handle(), [held] { return true; }));
      must(loop->at(Deadline::after(1h), [held] {}));
      CHECK(held.use_count() == 3);
      loop->cancel(id);
      pass_through(*loop);
      CHECK(held.use_count() == 2);
    }
    CHECK(held.use_count() == 1);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a quiet loop stands still until it is resumed, and loses nothing") {
    const auto loop = make_loop();
    const Busy busy(*loop);
    const Event source;
    const Event seen;
    must(loop->watch(source.handle(), [&] {
      seen.happen();
      return false;
    }));
    for (int round = 0; round < 20; ++round) {
      REQUIRE(busy.moves());
      loop->quiesce();
      const long before = busy.rounds();
      const Event posted;
      auto poster = std::async(std::launch::async, [&] { loop->post([&] { posted.happen(); }); });
      if (round == 10) source.happen();
      CHECK_FALSE(posted.happens(Deadline::after(1ms)));
      CHECK(busy.rounds() == before);
      loop->resume();
      CHECK(posted.happens());
      poster.get();
    }
    CHECK(seen.happens());
  }

  TEST_CASE_FIXTURE(LeakCheck, "becoming quiet waits for the callback that runs") {
    const Event inside;
    const Event go_on;
    const auto loop = make_loop();
    std::atomic<bool> finished = false;
    loop->post([&] {
      inside.happen();
      static_cast<void>(go_on.happens());
      finished = true;
    });
    REQUIRE(inside.happens());
    auto releasing = std::async(std::launch::async, [&] { go_on.happen(); });
    loop->quiesce();
    CHECK(finished);
    loop->resume();
    releasing.get();
    pass_through(*loop);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a forked child abandons the loop, and the parent's goes on") {
    if (!capabilities().fork) {
      skip("this system does not fork");
      return;
    }
    auto loop = make_loop();
    const Busy busy(*loop);
    const Event source;
    must(loop->watch(source.handle(), [] { return false; }));
    must(loop->at(Deadline::after(1h), [] {}));
    for (int round = 0; round < 10; ++round) {
      REQUIRE(busy.moves());
      loop->quiesce();
      auto fork = must(fork_process({}));
      if (fork.in_child) {
        const auto handles = holdings().handles;
        loop->abandon_in_child();
        loop.reset();
        end_now(handles && holdings().handles >= handles ? 1 : 5);
      }
      loop->resume();
      CHECK(join(fork.child) == exited(5));
      REQUIRE(busy.moves());
    }
  }
}

}  // namespace multiprocessing::platform::event_loop_tests
