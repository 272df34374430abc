// ctest: timeout=300 cost=60
// A pool in whose process memory is refused at each place where some is asked for, from a worker's death on,
// or from a time limit that is over: the program goes on, every call answers, and the pool comes to its end.
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "contract/process.hpp"
#include "test_support/refused_memory.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

#if MULTIPROCESSING_TEST_OWN_MEMORY

namespace {

struct Plan {
  long met = 0;            ///< requests before the first that is refused
  long refused = 1;        ///< how many are, from then on
  bool caller_too = true;  ///< those of the thread that calls the pool, too
  std::atomic<bool> on{false};
  std::atomic<long> seen{0};
};
Plan plan;
int here = 0;  ///< workers, of which forked ones begin with a copy of the plan, have all the memory they want
thread_local bool is_caller = false;

}  // namespace

bool mp::test_support::is_refused(std::size_t) noexcept {
  if (!plan.on || (is_caller && !plan.caller_too) || mp::platform::current_pid() != here) return false;
  const long number = plan.seen.fetch_add(1);
  return number >= plan.met && number - plan.met < plan.refused;
}

namespace {

[[noreturn]] void die() { mp::platform::end_now(77); }
void hang() { mp::connection::wait({mp::parent_process()->sentinel()}); }
int square(int x) { return x * x; }

/// Whether the exception that is being handled is an answer to what was asked.
bool is_answer() try { throw; } catch (const mp::WorkerDied&) {
  return true;
} catch (const mp::TimeoutError&) {
  return true;
} catch (const std::bad_alloc&) {
  return true;
} catch (const std::exception& error) {
  std::printf("no answer: %s\n", error.what());
  return false;
}

/// False without an answer, or with one that is wrong.
template <class Result, class IsRight>
bool answers(const Result& result, IsRight is_right) try {
  if (result.wait(60s)) return is_right(result);
  std::printf("no answer within a minute\n");
  return false;
} catch (...) {
  return is_answer();
}
template <class Result>
bool fails(const Result& result) {
  return answers(result, [](const auto& done) { return done.get(), false; });
}

bool has_a_worker_that_dies(mp::Pool& pool) try {
  const auto dies = pool.apply_async(die);
  const auto squares = pool.map_async(square, std::vector<int>(20, 2), 1);
  return fails(dies) && answers(squares, [](const auto& done) { return done.get().size() == 20; });
} catch (...) {
  return is_answer();
}

bool has_a_task_that_is_late(mp::Pool& pool) try {
  const auto late = pool.apply_async(mp::TaskOptions{.timeout = 5ms}, hang);
  const auto squared = pool.apply_async(mp::TaskOptions{.timeout = 1h}, square, 7);
  return fails(late) && answers(squared, [](const auto& done) { return done.get() == 49; });
} catch (...) {
  return is_answer();
}

/// With each worker new, the callers' memory is refused in submitting, too.
bool works(mp::Pool& pool) try { return pool.apply(square, 3) == 9; } catch (const std::bad_alloc&) {
  return false;
}

using Scenario = bool (*)(mp::Pool& pool);

class Refusals {
 public:
  Refusals(mp::Context& context, Scenario scenario) : context_(context), scenario_(scenario) { renew(); }

  /// How many runs of the scenario met a refusal; -1 if something went wrong.
  int each(long refused, bool caller_too, long step) {
    plan.refused = refused;
    plan.caller_too = caller_too;
    int runs = 0;
    for (plan.met = 0;; plan.met += step) {
      plan.seen = 0;
      plan.on = true;
      const bool right = scenario_(*pool_);
      plan.on = false;
      if (!right) return said(-1);
      if (plan.seen <= plan.met) return runs;
      ++runs;
      if (!works(*pool_)) {
        ++broken_;
        if (!ends()) return said(-1);
        renew();
      }
    }
  }
  [[nodiscard]] bool ends() {
    pool_->close();
    return pool_->join(60s);
  }
  /// Pools that were given up for want of memory.
  [[nodiscard]] int broken() const noexcept { return broken_; }

 private:
  int said(int failure) const {
    std::printf("at request %ld, of %ld that are refused\n", plan.met, plan.refused);
    return failure;
  }
  void renew() {
    pool_.emplace(context_.Pool(2));
    pool_->map(square, std::vector<int>(50, 2), 1);
  }

  mp::Context& context_;
  Scenario scenario_;
  std::optional<mp::Pool> pool_;
  int broken_ = 0;
};

bool passes(mp::Context& context, const char* name, Scenario scenario) {
  constexpr long for_good = 1'000'000'000;
  Refusals refusals(context, scenario);
  const int one = refusals.each(1, true, 1);
  const int some = one < 0 ? -1 : refusals.each(8, true, 5);
  const int all = some < 0 ? -1 : refusals.each(for_good, false, 5);
  const bool ended = all >= 0 && refusals.ends();
  std::printf("%s, %s: %d of one, %d of some, %d of all; %d pools given up\n",
              context.get_start_method().c_str(), name, one, some, all, refusals.broken());
  return one > 0 && some > 0 && all > 0 && ended;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  here = mp::platform::current_pid();
  is_caller = true;
  bool good = true;
  for (const auto& method : mp::get_all_start_methods()) {
    auto& context = mp::get_context(method);
    good = passes(context, "a death", has_a_worker_that_dies) && good;
    good = passes(context, "a time limit", has_a_task_that_is_late) && good;
  }
  return mp::test_support::verdict(good ? 0 : 1);
}

#endif
