// ctest: timeout=300 cost=60
// Fails the N-th call of every kind while a pool begins, works and ends, here and in its workers: each
// failure is reported or recovered from, nothing leaks, nothing hangs.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <exception>
#include <ranges>
#include <set>
#include <string>
#include <vector>

#include "contract/fault.hpp"
#include "injection.hpp"
#include "sweeping.hpp"
#include "test_support/listener.hpp"

namespace faults_pool_sweep {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;
using faults::demand_equal;
using namespace std::chrono_literals;
using platform::Call;

int square(int x) { return x * x; }

/// Begins, works, and ends in order.
void works(mp::Context& context) {
  mp::Pool pool = context.Pool(2);
  const auto results = pool.map(square, std::views::iota(0, 20), 3);
  demand_equal(results.size(), std::size_t{20}, "number of results");
  for (int i = 0; i < 20; ++i) demand_equal(results[static_cast<std::size_t>(i)], i * i, "square");
  pool.close();
  pool.join();
}

/// Works through a stream of tasks, and is terminated.
void is_terminated(mp::Context& context) {
  mp::Pool pool = context.Pool(1);
  int sum = 0;
  for (const int each : pool.imap(square, std::views::iota(0, 5))) sum += each;
  demand_equal(sum, 30, "sum of squares");
  pool.terminate();
  pool.join();
}

void hangs() { mp::connection::wait({mp::parent_process()->sentinel()}); }
std::size_t length_of(const std::string& text) { return text.size(); }

/// Tasks that are too large to be written at once, and one that takes too long.
void has_large_and_late_tasks(mp::Context& context) {
  constexpr std::size_t large = std::size_t{256} * 1024;
  mp::Pool pool = context.Pool(1);
  auto length = pool.apply_async(length_of, std::string(large, 'x'));
  auto in_time = pool.apply_async(mp::TaskOptions{.timeout = 1h}, length_of, std::string(large, 'y'));
  auto late = pool.apply_async(mp::TaskOptions{.timeout = 10ms}, hangs);
  demand_equal(length.get(), large, "length");
  demand_equal(in_time.get(), large, "length within an hour");
  try {
    late.get();
    throw faults::WrongOutcome{"a task without end has ended"};
  } catch (const mp::TimeoutError&) {
    // As it shall be.
  }
  pool.close();
  pool.join();
}

/// Workers that fail are told of as those that died, or as the pool that cannot have any.
bool reports_or_death(const faults::Fault& fault) {
  try {
    throw;
  } catch (const mp::WorkerDied&) {
    return true;
  } catch (const std::bad_alloc&) {
    return fault.condition == platform::Condition::out_of_memory;
  } catch (...) {
    return faults::reports(fault);
  }
}

std::set<faults::Row> reached;

TEST_SUITE("faults.pool_sweep") {
  TEST_CASE("any one call fails while a pool begins, maps, is closed and joined") {
    mp::test_support::allow_minutes(4);
    faults::sweep(works, reached, reports_or_death);
  }
  TEST_CASE("any one call fails while a pool works through a stream and is terminated") {
    mp::test_support::allow_minutes(4);
    faults::sweep(is_terminated, reached, reports_or_death);
  }
  TEST_CASE("any one call fails while a pool has large tasks, and one that takes too long") {
    mp::test_support::allow_minutes(4);
    faults::sweep(has_large_and_late_tasks, reached, reports_or_death);
  }
  TEST_CASE("what pools are made of was made to fail") {
    if (reached.empty()) return;  // only some of the cases were asked for
    for (const std::string& method : mp::get_all_start_methods())
      for (const Call call : {Call::channel_pair, Call::channel_read, Call::channel_write,
                              Call::event_loop_watch, Call::event_loop_at, Call::wakeup_create}) {
        INFO(method, ": ", std::string(platform::fault_row(call).name));
        bool found = false;
        for (const auto condition : platform::fault_row(call).distinct())
          found = found || reached.contains({method, call, condition});
        CHECK(found);
      }
  }
}

}  // namespace faults_pool_sweep
