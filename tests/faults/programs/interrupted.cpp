// ctest: args=--count=3 timeout=300
// Interrupts a program that maps over pools of each start method, again and again: Ctrl-C, without a handler.
// Its workers and itself hold its standard output: when that ends, none is left. Exit status 0 if every
// program died of the interrupt and nobody was left; --judge-times demands it within a second.
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <vector>

#include "test_support/family.hpp"
#include "test_support/figures.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

namespace {

constexpr int workers = 3;

int hang(int) {
  family::tell("worker");
  mp::connection::wait({mp::parent_process()->sentinel()});
  return 0;
}

void map_for_ever() {
  std::signal(SIGINT, SIG_DFL);  // a shell that was told to start us in the background has it ignored
  std::vector<mp::Pool> pools;
  std::vector<mp::AsyncResult<std::vector<int>>> results;
  for (const auto& method : mp::get_all_start_methods()) {
    pools.emplace_back(workers, mp::PoolOptions{.context = method});
    results.push_back(pools.back().map_async(hang, std::vector<int>(workers), 1));
  }
  for (auto& result : results) result.wait();
}

struct Round {
  double seconds = 0;  ///< from the interrupt to the end of the last
  int left = 0;        ///< who still runs
  bool as_planned = false;
};

Round one_round() {
  mp::SpawnProcess program({.standard_output = mp::Stdio::pipe, .standard_error = mp::Stdio::null},
                           map_for_ever);
  program.start();
  family::Output output(program.standard_output());
  const auto family = static_cast<std::ptrdiff_t>(workers * mp::get_all_start_methods().size());
  Round round;
  round.as_planned = output.reach(family);
  const auto begun = std::chrono::steady_clock::now();
  program.interrupt();
  if (!output.reach_end()) round.left = std::max(1, output.running());
  round.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  program.join();
  constexpr int interrupted = -2;
  round.as_planned = round.as_planned && program.exitcode() == interrupted;
  return round;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  figures::use_launcher(argv[0]);
  if (mp::get_all_start_methods().size() == 1) {
    std::printf("[skipped] a program that maps is interrupted: processes have no signals\n");
    return 77;
  }
  const int count = figures::count_argument(argc, argv);
  std::vector<double> seconds;
  int left = 0;
  int astray = 0;
  for (int i = 0; i < count; ++i) {
    const Round round = one_round();
    seconds.push_back(round.seconds);
    left += round.left;
    if (!round.as_planned) ++astray;
  }
  std::sort(seconds.begin(), seconds.end());
  const double worst = seconds.empty() ? 0 : seconds.back();
  std::printf(
      "%d programs with %d pools interrupted, %d not as planned: left %d, median %.0f ms, worst %.0f ms\n",
      count, static_cast<int>(mp::get_all_start_methods().size()), astray, left,
      seconds.empty() ? 0 : seconds[seconds.size() / 2] * 1000, worst * 1000);
  const bool in_time = worst <= 1 || !figures::judged_by_time(argc, argv);
  return mp::test_support::verdict(count > 0 && left == 0 && astray == 0 && in_time ? 0 : 1);
}
