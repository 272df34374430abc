// The event loop: handles that become ready, points in time, posted work, and how each is called off.
#include "contract/event_loop.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/channel.hpp"
#include "contract/process.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::event_loop_tests {
namespace {

using namespace test_support;
using namespace std::chrono_literals;

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

std::unique_ptr<EventLoop> make_loop() { return must(EventLoop::create()); }

/// Returns when the loop has run everything that was posted before.
void pass_through(EventLoop& loop) {
  const Event passed;
  loop.post([&] { passed.happen(); });
  REQUIRE(passed.happens());
}

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

TEST_SUITE("contract.event_loop") {
  TEST_CASE_FIXTURE(LeakCheck, "a loop is made and destroyed, used or not") {
    for (int i = 0; i < 20; ++i) {
      const auto loop = make_loop();
      if (i % 2 == 0) pass_through(*loop);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "posted work runs in the loop's thread, in order") {
    const auto loop = make_loop();
    CHECK_FALSE(loop->in_loop_thread());
    std::vector<int> order;
    std::atomic<bool> all_inside = true;
    for (int i = 0; i < 1000; ++i)
      loop->post([&, i] {
        order.push_back(i);
        if (!loop->in_loop_thread()) all_inside = false;
      });
    pass_through(*loop);
    CHECK(all_inside);
    REQUIRE(order.size() == 1000);
    for (int i = 0; i < 1000; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
  }

  TEST_CASE_FIXTURE(LeakCheck, "work that is posted inside a callback runs after it") {
    const auto loop = make_loop();
    std::vector<int> order;
    const Event done;
    loop->post([&] {
      loop->post([&] {
        order.push_back(2);
        done.happen();
      });
      order.push_back(1);
    });
    REQUIRE(done.happens());
    CHECK(order == std::vector{1, 2});
  }

  TEST_CASE_FIXTURE(LeakCheck, "many threads may post at once") {
    const auto loop = make_loop();
    int sum = 0;
    std::vector<std::future<void>> threads;
    for (int t = 0; t < 4; ++t)
      threads.push_back(std::async(std::launch::async, [&] {
        for (int i = 0; i < 1000; ++i) loop->post([&] { ++sum; });
      }));
    for (auto& thread : threads) thread.get();
    pass_through(*loop);
    CHECK(sum == 4000);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a watch calls again and again while its handle is ready, and later again") {
    const auto loop = make_loop();
    const Event source;
    const Event done;
    int calls = 0;
    const auto id = must(loop->watch(source.handle(), [&] {
      if (++calls % 5 == 0) {
        source.forget();
        done.happen();
      }
      return true;
    }));
    for (int round = 1; round <= 3; ++round) {
      done.forget();
      source.happen();
      REQUIRE(done.happens());
      pass_through(*loop);
    }
    loop->cancel(id);
    CHECK(calls == 15);
    source.happen();
    pass_through(*loop);
    CHECK(calls == 15);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a watch ends when its callback says so") {
    const auto loop = make_loop();
    const Event source;
    std::atomic<int> calls = 0;
    const auto id = must(loop->watch(source.handle(), [&] { return ++calls < 3; }));
    source.happen();
    CHECK(eventually([&] { return calls == 3; }));
    pass_through(*loop);
    pass_through(*loop);
    CHECK(calls == 3);
    loop->cancel(id);  // it has ended: nothing happens
    const auto again = must(loop->watch(source.handle(), [&] { return ++calls < 5; }));
    CHECK(again != id);
    CHECK(eventually([&] { return calls == 5; }));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a handle that is ready already is noticed") {
    const auto loop = make_loop();
    const Event source;
    const Event seen;
    source.happen();
    must(loop->watch(source.handle(), [&] {
      seen.happen();
      return false;
    }));
    CHECK(seen.happens());
  }

  TEST_CASE_FIXTURE(LeakCheck, "what is no open handle is not watched") {
    const auto loop = make_loop();
    RawHandle closed = no_handle;
    CHECK(outcome(loop->watch(closed, [] { return true; })) == Condition::invalid_argument);
    {
      const Event event;
      closed = event.handle();
    }
    CHECK(outcome(loop->watch(closed, [] { return true; })) == Condition::invalid_argument);
    pass_through(*loop);
  }

  TEST_CASE_FIXTURE(LeakCheck, "any number of handles is watched") {
    const auto loop = make_loop();
    std::vector<Event> events(200);
    std::vector<int> calls(events.size());
    std::atomic<std::size_t> called = 0;
    std::vector<EventLoop::Id> ids;
    for (std::size_t i = 0; i < events.size(); ++i)
      ids.push_back(must(loop->watch(events[i].handle(), [&, i] {
        events[i].forget();
        if (++calls[i] == 1) ++called;
        return true;
      })));
    events[199].happen();
    CHECK(eventually([&] { return called == 1; }));
    for (const auto& event : events) event.happen();
    CHECK(eventually([&] { return called == events.size(); }));
    for (const auto id : ids) loop->cancel(id);
  }

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
    const auto loop = make_loop();
    const Event first;
    const Event second;
    const Event done;
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

  TEST_CASE_FIXTURE(LeakCheck, "a callback may watch, set times and post") {
    const auto loop = make_loop();
    const Event source;
    const Event done;
    source.happen();
    loop->post([&] {
      must(loop->at(Deadline::now(), [&] {
        must(loop->watch(source.handle(), [&] {
          loop->post([&] { done.happen(); });
          return false;
        }));
      }));
    });
    CHECK(done.happens());
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

  TEST_CASE_FIXTURE(LeakCheck, "timers run once, in the order of their deadlines, never early") {
    const auto loop = make_loop();
    std::vector<int> order;
    std::atomic<bool> early = false;
    const Event done;
    const auto base = 30ms;
    for (const int position : {3, 0, 4, 1, 2}) {
      const auto deadline = Deadline::after(base + position * 10ms);
      must(loop->at(deadline, [&, position, deadline] {
        if (!deadline.expired()) early = true;
        order.push_back(position);
        if (order.size() == 5) done.happen();
      }));
    }
    REQUIRE(done.happens());
    pass_through(*loop);
    CHECK(order == std::vector{0, 1, 2, 3, 4});
    CHECK_FALSE(early);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a timer that is due already runs soon, one for never does not run") {
    const auto loop = make_loop();
    const Event due;
    std::atomic<bool> never_ran = true;
    const auto never = must(loop->at(Deadline::never(), [&] { never_ran = false; }));
    must(loop->at(Deadline::now(), [&] { due.happen(); }));
    CHECK(due.happens());
    pass_through(*loop);
    CHECK(never_ran);
    loop->cancel(never);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a cancelled timer does not run, and others still do") {
    const auto loop = make_loop();
    std::atomic<bool> ran = false;
    const Event later;
    const auto id = must(loop->at(Deadline::after(20ms), [&] { ran = true; }));
    must(loop->at(Deadline::after(40ms), [&] { later.happen(); }));
    loop->cancel(id);
    CHECK(later.happens());
    CHECK_FALSE(ran);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a thousand timers") {
    const auto loop = make_loop();
    std::atomic<int> ran = 0;
    std::vector<EventLoop::Id> cancelled;
    for (int i = 0; i < 1000; ++i) {
      const auto id = must(loop->at(Deadline::after((i % 10) * 1ms), [&] { ++ran; }));
      const auto far = must(loop->at(Deadline::after(1h), [&] { ran = -1'000'000; }));
      CHECK(id != far);
      cancelled.push_back(far);
    }
    CHECK(eventually([&] { return ran == 1000; }));
    for (const auto id : cancelled) loop->cancel(id);
  }

  TEST_CASE_FIXTURE(LeakCheck, "sentinels and channels are watched") {
    const auto loop = make_loop();
    auto child = start(echo);
    const Event echoed;
    const Event ended;
    const auto watching = must(loop->watch(child.channel.readable(), [&] {
      std::byte byte{};
      if (child.channel.read_some(std::span(&byte, 1))) echoed.happen();
      return true;
    }));
    must(loop->watch(child.process.sentinel(), [&] {
      if (child.process.poll() == exited(0)) ended.happen();
      return false;
    }));
    for (int i = 0; i < 3; ++i) {
      echoed.forget();
      must(child.channel.write_all(std::vector<std::byte>(1), patience()));
      CHECK(echoed.happens());
    }
    CHECK_FALSE(ended.happens(Deadline::now()));
    loop->cancel(watching);
    child.channel.close();
    CHECK(ended.happens());
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
    const auto loop = make_loop();
    const Event inside;
    const Event go_on;
    std::atomic<bool> finished = false;
    loop->post([&] {
      inside.happen();
      static_cast<void>(go_on.happens());
      finished = true;
    });
    REQUIRE(inside.happens());
    auto quiet = std::async(std::launch::async, [&] {
      loop->quiesce();
      return finished.load();
    });
    go_on.happen();
    CHECK(quiet.get());
    loop->resume();
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
