// The event loop: handles that become ready, points in time, and posted work.
#include "contract/event_loop.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <vector>

#include "contract/channel.hpp"
#include "contract/process.hpp"
#include "loop_events.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"

namespace multiprocessing::platform::event_loop_tests {

using namespace std::chrono_literals;

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
    const Event source;
    const Event done;
    const auto loop = make_loop();
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
    const Event source;
    const auto loop = make_loop();
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
    const Event source;
    const Event seen;
    const auto loop = make_loop();
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

  TEST_CASE_FIXTURE(LeakCheck, "one handle is watched many times") {
    const Event source;
    const auto loop = make_loop();
    std::array<std::atomic<int>, 4> calls{};
    std::array<EventLoop::Id, 4> ids{};
    for (std::size_t i = 0; i < ids.size(); ++i)
      ids[i] = must(loop->watch(source.handle(), [&, i] {
        ++calls[i];
        return true;
      }));
    const auto all_are_called = [&](std::size_t from) {
      std::array<int, 4> seen{};
      for (std::size_t i = 0; i < seen.size(); ++i) seen[i] = calls[i];
      return eventually([&] {
        for (std::size_t i = from; i < seen.size(); ++i)
          if (calls[i] == seen[i]) return false;
        return true;
      });
    };
    source.happen();
    CHECK(all_are_called(0));
    for (std::size_t ended = 1; ended < ids.size(); ++ended) {  // first the one that came first
      loop->cancel(ids[ended - 1]);
      const int last = calls[ended - 1];
      CHECK(all_are_called(ended));
      CHECK(calls[ended - 1] == last);
    }
    ids[0] = must(loop->watch(source.handle(), [&] {
      ++calls[0];
      return false;
    }));
    CHECK(all_are_called(3));
    CHECK(eventually([&, before = calls[3].load()] { return calls[3] > before; }));
    loop->cancel(ids[3]);
    loop->cancel(ids[0]);
    source.forget();
    CHECK(outcome(wait_one(source.handle(), Deadline::now())) == Condition::timed_out);
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

  TEST_CASE_FIXTURE(LeakCheck, "a callback may watch, set times and post") {
    const Event source;
    const Event done;
    const auto loop = make_loop();
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

  TEST_CASE_FIXTURE(LeakCheck, "timers run once, in the order of their deadlines, never early") {
    const auto loop = make_loop();
    std::vector<Deadline> order;
    std::atomic<bool> early = false;
    const Event done;
    loop->post([&] {  // in one callback, so that all are set before one runs
      for (const auto span : {30ms, 10ms, 40ms, 0ms, 20ms}) {
        const auto deadline = Deadline::after(span + 1ns);
        must(loop->at(deadline, [&, deadline] {
          if (!deadline.expired()) early = true;
          order.push_back(deadline);
          if (order.size() == 5) done.happen();
        }));
      }
    });
    REQUIRE(done.happens());
    pass_through(*loop);
    CHECK(order.size() == 5);
    CHECK(std::is_sorted(order.begin(), order.end()));
    CHECK_FALSE(early);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a timer that is due already runs soon, one for never does not run") {
    const Event due;
    const auto loop = make_loop();
    std::atomic<bool> never_ran = true;
    const auto never = must(loop->at(Deadline::never(), [&] { never_ran = false; }));
    must(loop->at(Deadline::now(), [&] { due.happen(); }));
    CHECK(due.happens());
    pass_through(*loop);
    CHECK(never_ran);
    loop->cancel(never);
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
    const auto until_end = must(loop->watch(child.process.sentinel(), [&] {
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
    loop->cancel(until_end);  // the callback may still be about to return, and the sentinel goes now
  }
}

}  // namespace multiprocessing::platform::event_loop_tests
