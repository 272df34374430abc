// ctest: timeout=300
// Pools to which the system refuses a timer, a thread, or the rest of a write: for a moment, or time and
// again.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <new>
#include <string>
#include <tuple>
#include <vector>

#include "contract/fault.hpp"
#include "test_support/clean_plan.hpp"
#include "test_support/start_methods.hpp"

namespace faults_pool_refusals {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
namespace platform = mp::platform;
namespace fault_plan = platform::fault_plan;
using mp::test_support::CleanPlan;
using mp::test_support::with_each_start_method;

void hang_on() { mp::connection::wait({mp::parent_process()->sentinel()}); }
int doubled(int x) { return 2 * x; }
std::size_t size_of(const std::string& text) { return text.size(); }

mp::Connection* line = nullptr;
void keep_line(mp::Connection end) { line = new mp::Connection(std::move(end)); }
std::size_t tell_run(int task, const std::string& text) {
  line->send(task);
  return text.size();
}

void tell_and_hang_on() {
  line->send(0);
  hang_on();
}

/// How often each task was run, of all that `tell_run` has told so far.
std::map<int, int> runs_told(mp::Connection& told) {
  std::map<int, int> runs;
  while (told.poll(0s)) ++runs[told.recv<int>()];
  return runs;
}

TEST_SUITE("faults.pool_refusals") {
  // First, while there is no thread for callbacks yet.
  TEST_CASE_FIXTURE(CleanPlan, "a callback that gets no thread may join the pool that is being terminated") {
    mp::Pool pool(1);
    bool joined = false;
    auto hanging = pool.apply_async(hang_on);
    hanging.on_error([&](const std::exception_ptr&) { joined = pool.join(60s); });
    fault_plan::clear();
    fault_plan::fail(platform::Call::run_in_background, 1, platform::Condition::out_of_processes);
    pool.terminate();
    CHECK(fault_plan::injected() == 1);
    CHECK(joined);
    CHECK_THROWS_AS(hanging.get(), mp::CancelledError);
  }

  TEST_CASE_FIXTURE(CleanPlan, "a time limit whose timer is refused holds all the same") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool = context.Pool(1);
      CHECK(pool.apply(doubled, 1) == 2);
      fault_plan::clear();
      fault_plan::fail(platform::Call::event_loop_at, 1, platform::Condition::out_of_memory);
      auto late = pool.apply_async(mp::TaskOptions{.timeout = 200ms}, hang_on);
      CHECK_THROWS_AS(late.get(), mp::TimeoutError);
      CHECK(fault_plan::injected() == 1);
      CHECK(pool.apply(doubled, 2) == 4);
    });
  }

  TEST_CASE_FIXTURE(CleanPlan,
                    "a time limit whose timer is refused when it came too early holds all the same") {
    mp::Pool pool(1);
    // The timer of the first is there when the second begins, and is set again when it comes.
    CHECK(pool.apply(mp::TaskOptions{.timeout = 3s}, doubled, 1) == 2);
    auto late = pool.apply_async(mp::TaskOptions{.timeout = 3300ms}, hang_on);
    fault_plan::clear();
    fault_plan::fail(platform::Call::event_loop_at, 1, platform::Condition::out_of_memory);
    CHECK_THROWS_AS(late.get(), mp::TimeoutError);
    CHECK(pool.apply(doubled, 2) == 4);
  }

  TEST_CASE_FIXTURE(CleanPlan,
                    "while threads are refused a large task costs one timer, not one for each call") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool = context.Pool(1);
      CHECK(pool.apply(doubled, 1) == 2);
      fault_plan::clear();
      const auto refuse = [] {
        fault_plan::fail(platform::Call::run_in_background, 1, platform::Condition::out_of_processes);
      };
      refuse();
      auto large = pool.apply_async(size_of, std::string(1 << 20, 'x'));
      std::vector<mp::AsyncResult<int>> small;
      for (int i = 0; i < 500; ++i) {
        refuse();
        small.push_back(pool.apply_async(doubled, i));
      }
      const auto timers = fault_plan::count(platform::Call::event_loop_at);
      const auto refused = fault_plan::injected();
      CHECK(refused > 0);
      CHECK(timers <= 1 + refused / 2);  // the second where the first came in between
      fault_plan::clear();
      CHECK(large.get() == 1 << 20);
      for (int i = 0; i < 500; ++i) CHECK(small[static_cast<std::size_t>(i)].get() == 2 * i);
    });
  }

  TEST_CASE_FIXTURE(CleanPlan, "of tasks that were written together, in part, none is run twice") {
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = mp::Pipe();
      mp::Pool pool = context.Pool(1, {.initializer = {keep_line, theirs}});
      const std::string text(300, 'x');
      std::vector<std::tuple<int, std::string>> tasks;
      for (int i = 0; i < 60; ++i) tasks.emplace_back(i, text);
      // So short that many go out at once, as the pool knows after these.
      for (int i = 0; i < 3; ++i) CHECK(pool.starmap(tell_run, tasks, 1).size() == tasks.size());
      CHECK(runs_told(ours).size() == tasks.size());
      fault_plan::clear();
      fault_plan::break_off(1, 500);  // a frame has more than 300 bytes, and two have more than 600
      std::size_t died = 0;
      try {
        static_cast<void>(pool.starmap(tell_run, tasks, 1));
      } catch (const mp::WorkerDied&) {
        died = 1;
      }
      CHECK(fault_plan::injected() == 1);
      const auto runs = runs_told(ours);
      for (const auto& [task, count] : runs) {
        INFO("task ", task);
        CHECK(count == 1);
      }
      CHECK(runs.size() + died >= tasks.size());
    });
  }

  TEST_CASE_FIXTURE(CleanPlan, "who joins a pool that can have no worker any more is told when it breaks") {
    auto [ours, theirs] = mp::Pipe();
    mp::Pool pool(1, {.initializer = {keep_line, theirs}});
    auto hanging = pool.apply_async(tell_and_hang_on);
    auto waiting = pool.apply_async(doubled, 1);
    pool.close();
    CHECK(ours.recv<int>() == 0);
    fault_plan::clear();
    // No thread to start another worker, and the next time no timer to try it again either.
    const auto refuse = [] {
      fault_plan::fail(platform::Call::run_in_background, 1, platform::Condition::out_of_processes);
    };
    refuse();
    mp::active_children().at(0).kill();
    CHECK_THROWS_AS(hanging.get(), mp::WorkerDied);
    REQUIRE(fault_plan::injected() == 1);
    refuse();
    fault_plan::fail(platform::Call::event_loop_at, 1, platform::Condition::out_of_memory);
    const auto begun = std::chrono::steady_clock::now();
    CHECK(pool.join(2min));
    CHECK(std::chrono::steady_clock::now() - begun < 1min);
    CHECK_THROWS_AS(waiting.get(), std::bad_alloc);
    CHECK(fault_plan::injected() == 3);
  }
}

}  // namespace faults_pool_refusals
