// ctest: args=--count=20 timeout=300
// Kills workers of a pool while it works off tasks: with retries every task has its result, once; without,
// every task has its result or its WorkerDied, once, and no more of these than workers were killed.
// --count=N kills for each start method, a hundred tasks for each.
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdio>
#include <random>
#include <ranges>
#include <string>
#include <vector>

#include "test_support/figures.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

namespace {

int twice(int x) { return 2 * x; }

struct Tally {
  int kills = 0;
  int good = 0;
  int died = 0;
  int wrong = 0;  ///< a wrong result, a task that was answered twice, another failure
};

/// Kills a worker at random now and then while the outcomes come.
Tally kill_while_working(mp::Context& context, int kills, unsigned retries, std::size_t chunksize) {
  const int tasks = 100 * kills;
  mp::Pool pool(4, {.retries = retries, .context = context});
  Tally tally;
  std::vector<bool> answered(static_cast<std::size_t>(tasks), false);
  std::minstd_rand random(static_cast<unsigned>(kills));
  int seen = 0;
  for (auto& outcome : pool.imap_outcomes(twice, std::views::iota(0, tasks), {.chunksize = chunksize})) {
    if (outcome.index() >= answered.size() || answered[outcome.index()]) {
      ++tally.wrong;
      continue;
    }
    answered[outcome.index()] = true;
    if (outcome && *outcome == 2 * static_cast<int>(outcome.index()))
      ++tally.good;
    else if (outcome.died() != nullptr)
      ++tally.died;
    else
      ++tally.wrong;
    if (++seen % 100 != 0) continue;
    auto workers = mp::active_children();
    if (workers.empty()) continue;
    workers[random() % workers.size()].kill();
    ++tally.kills;
  }
  for (const bool each : answered)
    if (!each) ++tally.wrong;
  return tally;
}

bool run(mp::Context& context, int kills) {
  bool good = true;
  for (const std::size_t chunksize : {1U, 7U}) {
    const auto begun = std::chrono::steady_clock::now();
    const auto with = kill_while_working(context, kills, 100, chunksize);
    const auto without = kill_while_working(context, kills, 0, chunksize);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    std::printf(
        "%s, chunks of %d, %.1f s: with retries %d kills under %d tasks: %d lost or doubled or wrong, %d "
        "given "
        "up; without %d kills: %d wrong, %d given up\n",
        context.get_start_method().c_str(), static_cast<int>(chunksize), took.count(), with.kills,
        100 * kills, with.wrong, with.died, without.kills, without.wrong, without.died);
    good = good && with.wrong == 0 && with.died == 0 && with.kills > 0;
    good = good && without.wrong == 0 && without.died <= without.kills && without.kills > 0;
  }
  return good && mp::active_children().size() <= 1;  // a fork server stays
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  figures::use_launcher(argv[0]);
  const int count = figures::count_argument(argc, argv);
  bool good = true;
  for (const auto& method : mp::get_all_start_methods()) good = run(mp::get_context(method), count) && good;
  return mp::test_support::verdict(good ? 0 : 1);
}
