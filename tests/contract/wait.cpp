// Waiting for handles: one, any of many, and the wakeup that ends a wait.
#include "contract/wait.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <numeric>
#include <vector>

#include "contract/channel.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::wait_tests {
namespace {

using namespace test_support;
using namespace std::chrono_literals;
using Positions = std::vector<std::size_t>;

struct Many {
  explicit Many(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      handles.push_back(wakeups.emplace_back(must(Wakeup::create())).waitable());
  }
  std::vector<Wakeup> wakeups;
  std::vector<RawHandle> handles;
};

Positions ready_among(const std::vector<RawHandle>& handles, Deadline deadline = Deadline::now()) {
  return must(wait_any(handles, deadline));
}

RawHandle closed_handle() {
  const Wakeup wakeup = must(Wakeup::create());
  return wakeup.waitable();
}

}  // namespace

TEST_SUITE("contract.wait") {
  TEST_CASE_FIXTURE(LeakCheck, "waiting for one handle returns when it is ready") {
    const Wakeup wakeup = must(Wakeup::create());
    CHECK(outcome(wait_one(wakeup.waitable(), Deadline::now())) == Condition::timed_out);
    wakeup.notify();
    CHECK(outcome(wait_one(wakeup.waitable(), Deadline::now())) == success);
    CHECK(outcome(wait_one(wakeup.waitable(), Deadline::never())) == success);
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "waiting for either of two handles tells which one is ready, the first if both are") {
    const Many two(2);
    const RawHandle a = two.handles[0], b = two.handles[1];
    CHECK(outcome(wait_either(a, b, Deadline::now())) == Condition::timed_out);
    two.wakeups[1].notify();
    CHECK(must(wait_either(a, b, Deadline::never())) == 1);
    CHECK(must(wait_either(b, a, Deadline::never())) == 0);
    two.wakeups[0].notify();
    CHECK(must(wait_either(a, b, Deadline::now())) == 0);
    CHECK(must(wait_either(b, a, Deadline::now())) == 0);
    CHECK(must(wait_either(b, b, Deadline::now())) == 0);
    CHECK(outcome(wait_either(a, no_handle, Deadline::now())) == Condition::invalid_argument);
    CHECK(outcome(wait_either(no_handle, a, Deadline::now())) == Condition::invalid_argument);
    CHECK(outcome(wait_either(a, closed_handle(), Deadline::now())) == Condition::invalid_argument);
  }

  TEST_CASE_FIXTURE(LeakCheck, "readiness stays until what caused it is consumed") {
    const Wakeup wakeup = must(Wakeup::create());
    wakeup.notify();
    for (int i = 0; i < 3; ++i) CHECK(outcome(wait_one(wakeup.waitable(), Deadline::now())) == success);
    wakeup.reset();
    CHECK(outcome(wait_one(wakeup.waitable(), Deadline::now())) == Condition::timed_out);
    wakeup.notify();
    CHECK(outcome(wait_one(wakeup.waitable(), Deadline::now())) == success);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a wait does not end before its deadline") {
    const Many many(70);
    for (const auto span : {1ms, 15ms, 40ms}) {
      auto deadline = Deadline::after(span);
      CHECK(outcome(wait_one(many.handles[0], deadline)) == Condition::timed_out);
      CHECK(deadline.expired());
      deadline = Deadline::after(span);
      CHECK(ready_among({many.handles[0], many.handles[1]}, deadline).empty());
      CHECK(deadline.expired());
      deadline = Deadline::after(span);
      CHECK(ready_among(many.handles, deadline).empty());
      CHECK(deadline.expired());
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "another thread ends a wait for one handle") {
    const Wakeup wakeup = must(Wakeup::create());
    auto waiter =
        std::async(std::launch::async, [&] { return outcome(wait_one(wakeup.waitable(), patience())); });
    wakeup.notify();
    CHECK(waiter.get() == success);
  }

  TEST_CASE_FIXTURE(LeakCheck, "many threads may wait for one handle") {
    const Wakeup wakeup = must(Wakeup::create());
    std::vector<std::future<Outcome>> waiters;
    for (int i = 0; i < 8; ++i)
      waiters.push_back(
          std::async(std::launch::async, [&] { return outcome(wait_one(wakeup.waitable(), patience())); }));
    wakeup.notify();
    for (auto& waiter : waiters) CHECK(waiter.get() == success);
  }

  TEST_CASE_FIXTURE(LeakCheck, "waiting for what is no open handle is the caller's mistake") {
    CHECK(outcome(wait_one(no_handle, Deadline::now())) == Condition::invalid_argument);
    CHECK(outcome(wait_one(closed_handle(), Deadline::now())) == Condition::invalid_argument);
    for (const std::size_t count : {0U, 1U, 70U}) {
      Many many(count);
      many.handles.push_back(no_handle);
      CHECK(outcome(wait_any(many.handles, Deadline::now())) == Condition::invalid_argument);
      many.handles.back() = closed_handle();
      CHECK(outcome(wait_any(many.handles, patience())) == Condition::invalid_argument);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "waiting for no handle returns at once") {
    CHECK(ready_among({}, Deadline::never()).empty());
    CHECK(ready_among({}).empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "any number of handles can be waited for") {
    for (const std::size_t count : {1U, 2U, 63U, 64U, 65U, 70U, 300U}) {
      CAPTURE(count);
      const Many many(count);
      CHECK(ready_among(many.handles).empty());
      many.wakeups.back().notify();
      CHECK(ready_among(many.handles, patience()) == Positions{count - 1});
      many.wakeups.back().reset();
      CHECK(ready_among(many.handles).empty());
      many.wakeups.front().notify();
      CHECK(ready_among(many.handles, patience()) == Positions{0});
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "all ready handles are returned, in ascending order") {
    for (const std::size_t count : {2U, 70U, 300U}) {
      CAPTURE(count);
      const Many many(count);
      Positions expected;
      for (std::size_t i = 0; i < count; i += 1 + count / 7) {
        many.wakeups[i].notify();
        expected.push_back(i);
      }
      CHECK(ready_among(many.handles, patience()) == expected);
      for (const auto& wakeup : many.wakeups) wakeup.notify();
      Positions all(count);
      std::iota(all.begin(), all.end(), std::size_t{0});
      CHECK(ready_among(many.handles, Deadline::never()) == all);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a handle may stand in the list more than once") {
    for (const std::size_t others : {0U, 70U}) {
      CAPTURE(others);
      const Wakeup twice = must(Wakeup::create());
      const Many many(others);
      std::vector<RawHandle> handles = many.handles;
      handles.insert(handles.begin(), twice.waitable());
      handles.push_back(twice.waitable());
      CHECK(ready_among(handles).empty());
      twice.notify();
      CHECK(ready_among(handles, patience()) == Positions{0, handles.size() - 1});
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "another thread ends a wait for many handles") {
    for (const std::size_t count : {3U, 70U, 300U}) {
      CAPTURE(count);
      const Many many(count);
      auto waiter = std::async(std::launch::async, [&] { return ready_among(many.handles, patience()); });
      many.wakeups[count / 2].notify();
      CHECK(waiter.get() == Positions{count / 2});
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "several threads may wait for the same handles") {
    const Many many(100);
    std::vector<std::future<Positions>> waiters;
    for (int i = 0; i < 4; ++i)
      waiters.push_back(
          std::async(std::launch::async, [&] { return ready_among(many.handles, patience()); }));
    many.wakeups[99].notify();
    for (auto& waiter : waiters) CHECK(waiter.get() == Positions{99});
  }

  TEST_CASE_FIXTURE(LeakCheck, "sentinels, channels and wakeups are waited for together") {
    auto child = start(echo);
    const Wakeup wakeup = must(Wakeup::create());
    const std::vector handles{child.process.sentinel(), child.channel.readable(), wakeup.waitable()};
    CHECK(ready_among(handles).empty());
    must(child.channel.write_all(std::vector<std::byte>(1), patience()));
    CHECK(ready_among(handles, patience()) == Positions{1});
    wakeup.notify();
    CHECK(ready_among(handles, patience()) == Positions{1, 2});
    must(child.process.send(StopSignal::kill));
    child.join();
    CHECK(ready_among(handles, patience()) == Positions{0, 1, 2});
  }

  TEST_CASE_FIXTURE(LeakCheck, "notifying never blocks and counts once") {
    const Wakeup wakeup = must(Wakeup::create());
    const WaitingFor note("a hundred thousand notifications");
    for (int i = 0; i < 100'000; ++i) wakeup.notify();
    CHECK(outcome(wait_one(wakeup.waitable(), Deadline::now())) == success);
    wakeup.reset();
    CHECK(outcome(wait_one(wakeup.waitable(), Deadline::now())) == Condition::timed_out);
    wakeup.reset();
    wakeup.notify();
    CHECK(outcome(wait_one(wakeup.waitable(), Deadline::now())) == success);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a wakeup may be notified by many threads at once") {
    const Wakeup wakeup = must(Wakeup::create());
    std::vector<std::future<void>> threads;
    for (int i = 0; i < 4; ++i)
      threads.push_back(std::async(std::launch::async, [&] {
        for (int n = 0; n < 10'000; ++n) wakeup.notify();
      }));
    for (auto& thread : threads) thread.get();
    CHECK(outcome(wait_one(wakeup.waitable(), Deadline::now())) == success);
    wakeup.reset();
    CHECK(outcome(wait_one(wakeup.waitable(), Deadline::now())) == Condition::timed_out);
  }
}

}  // namespace multiprocessing::platform::wait_tests
