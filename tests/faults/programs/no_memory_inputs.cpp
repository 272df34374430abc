// ctest: timeout=300
// Iterations over lazy inputs in a process where memory is refused at each place where some is asked for: by
// whoever takes the outcomes, and of ThreadPool by its threads, too. No outcome is another input's, none is
// left out without a word, and the iteration comes to its end.
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <ranges>
#include <string>

#include "contract/process.hpp"
#include "test_support/refused_memory.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

#if MULTIPROCESSING_TEST_OWN_MEMORY

namespace {

struct Plan {
  long met = 0;             ///< requests before the first that is refused
  long refused = 1;         ///< how many are, from then on
  bool in_threads = false;  ///< also those of others than the thread that takes outcomes
  std::atomic<bool> on{false};
  std::atomic<long> seen{0};
};
Plan plan;
int here = 0;  ///< forked children begin with a copy of the plan, and have all the memory they want
thread_local bool is_consumer = false;

}  // namespace

bool mp::test_support::is_refused(std::size_t) noexcept {
  if (!plan.on || !(is_consumer || plan.in_threads) || mp::platform::current_pid() != here) return false;
  const long number = plan.seen.fetch_add(1);
  return number >= plan.met && number - plan.met < plan.refused;
}

namespace {

constexpr std::size_t count = 20;

std::size_t size_of(std::size_t index) { return 40 + index; }  // each asks for memory
std::string same(std::string text) { return text; }

/// The inputs; at `last` something is thrown that asks for no memory.
auto inputs(std::size_t last) {
  return std::views::iota(std::size_t{0}, count) | std::views::transform([last](std::size_t index) {
           if (index == last) throw 0;
           return std::string(size_of(index), 'x');
         });
}

bool said(const char* what, std::size_t index) {
  std::printf("input %zu: %s; at request %ld, of %ld that are refused\n", index, what, plan.met,
              plan.refused);
  return false;
}

/// What is asked of outcomes that come in any order.
template <class Outcomes>
bool are_right(Outcomes outcomes) {
  std::array<bool, count + 1> seen{};  // the last: a failure that stands for inputs that were not pulled
  bool told = false, failed = false;
  for (std::size_t asked = 0; asked < 10 * count; ++asked) try {
      const auto outcome = outcomes.next(60s);
      if (!outcome) {
        const auto missing = std::ranges::find(seen, false);
        const auto known = static_cast<std::size_t>(missing - seen.begin());
        const bool none_between = std::find(missing, seen.end(), true) == seen.end();
        return told || (none_between && (failed || known == count)) || said("left out", known);
      }
      const auto index = outcome->index();
      if (index >= seen.size() || seen[index] || (index == count && *outcome))
        return said("came twice, or is none", index);
      seen[index] = true;
      failed = failed || !*outcome;
      if (outcome->has_value() && outcome->value().size() != size_of(index))
        return said("has another's result", index);
    } catch (const mp::TimeoutError&) {
      return said("no outcome within a minute", asked);
    } catch (const std::bad_alloc&) {
      told = true;
    }
  return told;  // whoever was told that one is lost may be told so for ever
}

/// How many runs met a refusal; -1 if something went wrong.
template <class Open>
int refuse_each(Open open) {
  int runs = 0;
  for (plan.refused = 1; plan.refused <= 3; ++plan.refused)
    for (plan.met = 0;; ++plan.met) {
      plan.seen = 0;
      plan.on = true;
      bool right = true;
      try {
        right = are_right(open());
      } catch (const std::bad_alloc&) {
        // It was not begun.
      }
      plan.on = false;
      if (!right) return -1;
      if (plan.seen <= plan.met) break;
      ++runs;
    }
  return runs;
}

/// In order and not, with a source that throws and one that does not.
template <class PoolOfAny>
bool passes(PoolOfAny& pool, const char* name, bool in_threads) {
  plan.in_threads = in_threads;
  bool good = true;
  for (const bool ordered : {true, false})
    for (const std::size_t last : {count, count / 2}) {
      const int runs = refuse_each(
          [&] { return pool.imap_outcomes(same, inputs(last), {.ordered = ordered, .chunksize = 3}); });
      std::printf("%s, %s, %zu inputs: %d runs\n", name, ordered ? "in order" : "as they come", last, runs);
      good = good && runs > 0;
    }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  here = mp::platform::current_pid();
  is_consumer = true;
  bool good = true;
  for (const auto& method : mp::get_all_start_methods()) {
    auto pool = mp::get_context(method).Pool(2);
    good = passes(pool, method.c_str(), false) && good;
  }
  mp::ThreadPool threads(2);
  good = passes(threads, "threads", true) && good;
  return mp::test_support::verdict(good ? 0 : 1);
}

#endif
