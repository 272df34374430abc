// ctest: args=--quick timeout=300
// Pools: what a task costs, against Python's.
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <numeric>
#include <ranges>
#include <string>
#include <vector>

#include "common.hpp"
#include "peers.hpp"
#include "pipes.hpp"
#include "plot.hpp"
#include "pool_floors.hpp"

namespace mp = multiprocessing;
using namespace benchmarks;

namespace {

int square(int x) { return x * x; }

/// Made with the first round, so that a row that is not measured starts nothing.
mp::Pool& two_workers() {
  static mp::Pool pool(2);
  return pool;
}

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// Seconds of a task, of `count` that `work` does.
template <class Work>
Measure per_task(int count, Work work) {
  return [=] { return seconds_of(1, [&] { work(two_workers(), count); }) / count; };
}

Measure python(const std::string& mode) {
  const auto folder = std::filesystem::path(MULTIPROCESSING_BENCHMARK_PEER).parent_path();
  const std::string script = (folder / "peer_pools.py").string();
  if (!python_seconds(script, mode)) return {};
  return [=] { return python_seconds(script, mode).value_or(0); };
}

/// Seconds of one call, the median of five.
double seconds_of_map(mp::Pool& pool, const std::vector<int>& inputs) {
  std::vector<double> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(seconds_of(1, [&] { pool.map(square, inputs); }));
  std::sort(calls.begin(), calls.end());
  return calls[calls.size() / 2];
}

/// The parts of a call of its own each.
double seconds_of_applies(int times) {
  mp::Pool pool(1);
  pool.apply(square, 1);
  return seconds_of(times, [&] { pool.apply(square, 7); });
}

/// All of it on one processor: in a process that has not had another.
Measure applies_on_one_processor(int times) {
  return on_one_processor([=] { return mp::call(seconds_of_applies, times); });
}

double seconds_after_pauses(mp::Pool& pool, int times) {
  double seconds = 0;
  for (int i = 0; i < times; ++i) {
    pause_between_calls();
    seconds += seconds_of(1, [&] { pool.apply(square, i); });
  }
  return seconds / times;
}

std::uint64_t peak_of_imap(int inputs) {
  mp::Pool pool(2);
  for (const int x : pool.imap(square, std::views::iota(0, inputs))) static_cast<void>(x);
  return peak_memory();
}

/// What goes through an imap leaves nothing behind. Each length in a process of its own.
int print_memory(const Settings& settings) {
  const int few = settings.quick ? 1000 : 50'000;
  const auto base = mp::call(peak_of_imap, few);
  if (base == 0) {
    std::printf("\nmemory of imap: nobody tells here\n");
    return 0;
  }
  constexpr double goal = 1.5;
  int missed = 0;
  std::printf("\n| imap over | peak memory against that of %d inputs | goal | |\n|---|---|---|---|\n", few);
  for (const int factor : {10, 200}) {
    if (settings.quick && factor > 10) break;
    const double ratio =
        static_cast<double>(mp::call(peak_of_imap, few * factor)) / static_cast<double>(base);
    missed += ratio > goal ? 1 : 0;
    std::printf("| %d inputs | %.2f | <= %.2f | %s |\n", few * factor, ratio, goal,
                ratio > goal ? "missed" : "met");
    std::fflush(stdout);
  }
  return missed;
}

/// Growth: seconds of a task with so many workers and tasks.
void print_growth(const Settings& settings) {
  constexpr int counts_of_workers[] = {1, 2, 4, 8};
  std::vector<Curve> curves;
  for (const int workers : counts_of_workers)
    curves.push_back({std::to_string(workers) + (workers == 1 ? " worker" : " workers")});
  std::printf("\ntasks of map() with default chunks, ns a task\n\n| tasks |");
  for (const Curve& curve : curves) std::printf(" %s |", curve.name.c_str());
  std::printf("\n|---|---|---|---|---|\n");
  for (int count = 10; count <= (settings.quick ? 1000 : 10'000'000); count *= 10) {
    std::printf("| %d |", count);
    const auto inputs = numbers(count);
    for (std::size_t i = 0; i < curves.size(); ++i) {
      const int workers = counts_of_workers[i];
      mp::Pool pool(workers);
      pool.map(square, numbers(100));
      const double seconds = seconds_of_map(pool, inputs);
      std::printf(" %.0f |", seconds * 1e9 / count);
      std::fflush(stdout);
      curves[i].points.push_back({static_cast<double>(count), seconds * 1e9 / count});
    }
    std::printf("\n");
  }
  if (settings.plot.empty()) return;
  const Axes axes{"Pool.map with default chunks", "tasks", "nanoseconds a task"};
  const bool drawn = draw_curves(settings.plot, axes, curves);
  std::printf("\n%s %s\n", drawn ? "drawn:" : "could not be written:", settings.plot.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  const auto settings = read_settings(argc, argv);
  const Measure open_and_close = [] { return seconds_of(3, [] { const mp::Pool pool(2); }); };
  std::vector<Row> rows;
  // First, since a fork costs what the process has of memory: Python's does it in a fresh process, too.
  rows.push_back({.work = "Pool(2), open and close",
                  .ours = open_and_close,
                  .floor = bare_open_and_close(2),
                  .floor_name = "two forks with a socket each",
                  .peer = python("open"),
                  .at_least_peer = 5});
  rows.push_back({.work = "Pool.map, default chunks, a task",
                  .ours = per_task(1'000'000, [](mp::Pool& pool, int n) { pool.map(square, numbers(n)); }),
                  .floor = bare_map(1'000'000, 125'000, 1),
                  .floor_name = "forked workers, by hand",
                  .peer = python("map"),
                  .at_least_peer = 8});
  rows.push_back({.work = "Pool.map, chunksize 1, a task",
                  .ours = per_task(100'000, [](mp::Pool& pool, int n) { pool.map(square, numbers(n), 1); }),
                  .floor = bare_map(100'000, 1, 64),
                  .floor_name = "forked workers, by hand",
                  .peer = python("chunk1"),
                  .at_least_peer = 8});
  rows.push_back({.work = "Pool.map, default chunks, a task",
                  .ours = per_task(1'000'000, [](mp::Pool& pool, int n) { pool.map(square, numbers(n)); }),
                  .peer = tbb("1000000 0"),
                  .peer_name = "TBB (threads)"});
  for (const bool threads : {true, false})
    rows.push_back({.work = "Pool.map, chunksize 1, a task",
                    .ours = per_task(100'000, [](mp::Pool& pool, int n) { pool.map(square, numbers(n), 1); }),
                    .peer = threads ? tbb("100000 1") : mpi(3, "tasks 10000"),
                    .peer_name = threads ? "TBB (threads)" : "OpenMPI"});
  rows.push_back({.work = "Pool.imap, chunksize 1, a task",
                  .ours = per_task(100'000,
                                   [](mp::Pool& pool, int n) {
                                     for (const int x : pool.imap(square, std::views::iota(0, n)))
                                       static_cast<void>(x);
                                   }),
                  .peer = python("imap")});
  rows.push_back({.work = "Pool.apply, one after the other",
                  .ours = per_task(1000,
                                   [](mp::Pool& pool, int n) {
                                     for (int i = 0; i < n; ++i) pool.apply(square, i);
                                   }),
                  .floor = bare_socket(sizeof(int), 1000, Way::round_trip),
                  .floor_name = "blocking socket",
                  .peer = python("apply"),
                  .at_least_peer = 3});
  rows.push_back({.work = "Pool.apply, the worker asleep",
                  .ours = [] { return seconds_after_pauses(two_workers(), 100); },
                  .floor = bare_call_after_pause(100),
                  .floor_name = "blocking socket",
                  .peer = python("idle"),
                  .at_least_peer = 6});
  if (const auto floor = on_one_processor(bare_socket(sizeof(int), 2000, Way::round_trip))) {
    const auto by_thread = on_one_processor(bare_call_by_thread(2000));
    rows.push_back({.work = "Pool.apply, all on one processor",
                    .ours = applies_on_one_processor(2000),
                    .floor = floor,
                    .floor_name = "blocking socket",
                    .at_most_floor = 2});
    rows.push_back({.work = "Pool.apply, all on one processor",
                    .ours = applies_on_one_processor(2000),
                    .floor = by_thread,
                    .floor_name = "the same by way of a thread that waits for all workers"});
    rows.push_back({.work = "the last floor against the one before",
                    .ours = by_thread,
                    .floor = floor,
                    .floor_name = "blocking socket"});
  }
  rows.push_back({.work = "Pool(2), open and close, after these calls", .ours = open_and_close});
  int missed = print_table(rows, settings);
  if (settings.only.empty()) missed += print_memory(settings);
  std::printf("\n%d goals missed\n", missed);
  print_growth(settings);
}
