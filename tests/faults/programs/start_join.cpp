// ctest: args=--count=40 timeout=300
// Starts and joins processes, and counts what is left: handles, threads, and children as the system knows
// them, the unreaped with them. Exit status 0 if nothing is, and if it could be counted at all. --count=N for
// each start method.
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdio>
#include <string>

#include "test_support/figures.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

namespace {

void end() {}

/// One round that nobody counts: what is made once stays.
void warm_up(mp::Context& context) {
  auto p = context.Process(end);
  p.start();
  p.join();
}

bool run(mp::Context& context, int count) {
  warm_up(context);
  const auto before = mp::test_support::settled_holdings();
  const int children_before = mp::test_support::child_count().value_or(0);  // a fork server stays
  const auto start = std::chrono::steady_clock::now();
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    auto p = context.Process(end);
    p.start();
    p.join();
    if (p.exitcode() != 0) ++wrong;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const bool returned =
      mp::test_support::returns_to(before);  // a thread that was joined goes an instant later
  const auto after = mp::test_support::holdings();
  const bool counted = before.handles && before.threads && after.handles && after.threads;
  const int handles = after.handles.value_or(0) - before.handles.value_or(0);
  const int threads = after.threads.value_or(0) - before.threads.value_or(0);
  const bool children_counted = mp::test_support::child_count().has_value();
  const int children = mp::test_support::child_count().value_or(0) - children_before;
  std::printf(
      "%s: %d times start and join in %.1f s: wrong exit codes %d, handles %+d, threads %+d, children %s\n",
      context.get_start_method().c_str(), count, took.count(), wrong, handles, threads,
      children_counted ? std::to_string(children).c_str() : "among the handles");
  if (!counted) std::printf("handles or threads cannot be counted here\n");
  return count > 0 && wrong == 0 && counted && returned && children == 0 && mp::active_children().empty();
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
