// The set of handles that is kept between waits.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>
#include <vector>

#include "contract/channel.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::wait_set_tests {
namespace {

using namespace test_support;
using namespace std::chrono_literals;
using Keys = std::vector<std::size_t>;

Keys ready_in(WaitSet& set, Deadline deadline = Deadline::now()) {
  Keys ready{12345};  // wait() clears it
  must(set.wait(ready, deadline));
  std::sort(ready.begin(), ready.end());
  return ready;
}

}  // namespace

TEST_SUITE("contract.wait_set") {
  TEST_CASE_FIXTURE(LeakCheck, "an empty set has nothing ready") {
    auto set = must(WaitSet::create());
    CHECK(set.size() == 0);
    CHECK(ready_in(set).empty());
    const auto deadline = Deadline::after(10ms);
    CHECK(ready_in(set, deadline).empty());
    CHECK(deadline.expired());
  }

  TEST_CASE_FIXTURE(LeakCheck, "the keys of all ready handles come back, as long as they are ready") {
    const Wakeup first = must(Wakeup::create());
    const Wakeup second = must(Wakeup::create());
    const Wakeup third = must(Wakeup::create());
    auto set = must(WaitSet::create());
    must(set.add(first.waitable(), 10));
    must(set.add(second.waitable(), 0));
    must(set.add(third.waitable(), ~std::size_t{0}));
    CHECK(set.size() == 3);
    CHECK(ready_in(set).empty());
    second.notify();
    third.notify();
    for (int i = 0; i < 3; ++i) CHECK(ready_in(set, patience()) == Keys{0, ~std::size_t{0}});
    second.reset();
    CHECK(ready_in(set, patience()) == Keys{~std::size_t{0}});
    third.reset();
    CHECK(ready_in(set).empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "what is removed is not reported, and may be added again") {
    const Wakeup wakeup = must(Wakeup::create());
    const Wakeup other = must(Wakeup::create());
    auto set = must(WaitSet::create());
    must(set.add(wakeup.waitable(), 1));
    must(set.add(other.waitable(), 2));
    wakeup.notify();
    other.notify();
    must(set.remove(1));
    CHECK(set.size() == 1);
    CHECK(ready_in(set, patience()) == Keys{2});
    must(set.add(wakeup.waitable(), 7));
    CHECK(ready_in(set, patience()) == Keys{2, 7});
    must(set.remove(2));
    must(set.remove(7));
    CHECK(set.size() == 0);
    CHECK(ready_in(set).empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a handle may be closed after it was removed") {
    auto set = must(WaitSet::create());
    for (std::size_t key = 0; key < 3; ++key) {  // the number comes again, and means another object
      const Wakeup wakeup = must(Wakeup::create());
      must(set.add(wakeup.waitable(), key));
      wakeup.notify();
      CHECK(ready_in(set, patience()) == Keys{key});
      must(set.remove(key));
    }
    CHECK(ready_in(set).empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a key, and a handle, stand in a set only once") {
    const Wakeup first = must(Wakeup::create());
    const Wakeup second = must(Wakeup::create());
    auto set = must(WaitSet::create());
    must(set.add(first.waitable(), 1));
    CHECK(outcome(set.add(second.waitable(), 1)) == Condition::already_exists);
    CHECK(outcome(set.add(first.waitable(), 2)) == Condition::already_exists);
    CHECK(set.size() == 1);
    first.notify();
    second.notify();
    CHECK(ready_in(set, patience()) == Keys{1});
    must(set.add(second.waitable(), 2));
    CHECK(ready_in(set, patience()) == Keys{1, 2});
  }

  TEST_CASE_FIXTURE(LeakCheck, "removing an unknown key is not found") {
    const Wakeup wakeup = must(Wakeup::create());
    auto set = must(WaitSet::create());
    CHECK(outcome(set.remove(1)) == Condition::not_found);
    must(set.add(wakeup.waitable(), 1));
    must(set.remove(1));
    CHECK(outcome(set.remove(1)) == Condition::not_found);
  }

  TEST_CASE_FIXTURE(LeakCheck, "adding what is no open handle is the caller's mistake") {
    auto set = must(WaitSet::create());
    RawHandle closed = no_handle;
    CHECK(outcome(set.add(closed, 1)) == Condition::invalid_argument);
    {
      const Wakeup wakeup = must(Wakeup::create());
      closed = wakeup.waitable();
    }
    CHECK(outcome(set.add(closed, 1)) == Condition::invalid_argument);
    CHECK(set.size() == 0);
    CHECK(ready_in(set).empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "another thread ends a wait") {
    const Wakeup wakeup = must(Wakeup::create());
    auto set = must(WaitSet::create());
    must(set.add(wakeup.waitable(), 5));
    auto waiter = std::async(std::launch::async, [&] { return ready_in(set, patience()); });
    wakeup.notify();
    CHECK(waiter.get() == Keys{5});
  }

  TEST_CASE_FIXTURE(LeakCheck, "a wait does not end before its deadline") {
    const Wakeup wakeup = must(Wakeup::create());
    auto set = must(WaitSet::create());
    must(set.add(wakeup.waitable(), 5));
    const auto deadline = Deadline::after(20ms);
    CHECK(ready_in(set, deadline).empty());
    CHECK(deadline.expired());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a set that is moved keeps its handles") {
    const Wakeup wakeup = must(Wakeup::create());
    auto first = must(WaitSet::create());
    must(first.add(wakeup.waitable(), 5));
    WaitSet second(std::move(first));
    auto third = must(WaitSet::create());
    third = std::move(second);
    wakeup.notify();
    CHECK(third.size() == 1);
    CHECK(ready_in(third, patience()) == Keys{5});
  }

  TEST_CASE_FIXTURE(LeakCheck, "thousands of handles stay in a set") {
    const auto limit = handle_limit().value_or(100'000);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(3000, limit / 2));
    const Wakeup idle = must(Wakeup::create());
    const std::vector busy = [] {
      std::vector<Wakeup> made;
      for (int i = 0; i < 3; ++i) made.push_back(must(Wakeup::create()));
      return made;
    }();
    auto set = must(WaitSet::create());
    std::vector<Handle> copies;
    for (std::size_t key = 0; key < count; ++key) {
      copies.emplace_back(must(duplicate_handle(idle.waitable())));
      must(set.add(copies.back().get(), key));
    }
    for (std::size_t i = 0; i < busy.size(); ++i) must(set.add(busy[i].waitable(), count + i));
    CHECK(set.size() == count + busy.size());
    CHECK(ready_in(set).empty());
    busy[2].notify();
    CHECK(ready_in(set, patience()) == Keys{count + 2});
    busy[0].notify();
    CHECK(ready_in(set, patience()) == Keys{count, count + 2});
    idle.notify();
    CHECK(ready_in(set, patience()).size() == count + 2);
    idle.reset();
    for (std::size_t key = 0; key < count; ++key) must(set.remove(key));
    CHECK(set.size() == busy.size());
    CHECK(ready_in(set, patience()) == Keys{count, count + 2});
  }

  TEST_CASE_FIXTURE(LeakCheck, "sentinels and channels stand in a set") {
    auto child = start(echo);
    auto set = must(WaitSet::create());
    must(set.add(child.process.sentinel(), 1));
    must(set.add(child.channel.readable(), 2));
    CHECK(ready_in(set).empty());
    must(child.channel.write_all(std::vector<std::byte>(1), patience()));
    CHECK(ready_in(set, patience()) == Keys{2});
    must(child.process.send(StopSignal::kill));
    child.join();
    CHECK(ready_in(set, patience()) == Keys{1, 2});
  }
}

}  // namespace multiprocessing::platform::wait_set_tests
