// ctest: args=--count=40 timeout=300
// Starts and joins processes, and counts what is left: handles, threads, children. Exit status 0 if
// nothing is. --count=N for each start method.
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdio>
#include <string>

#include "figures.hpp"
#include "test_support/leak_check.hpp"

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
  const auto before = mp::test_support::holdings();
  const auto start = std::chrono::steady_clock::now();
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    auto p = context.Process(end);
    p.start();
    p.join();
    if (p.exitcode() != 0) ++wrong;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const auto after = mp::test_support::holdings();
  const int handles = after.handles.value_or(0) - before.handles.value_or(0);
  const int threads = after.threads.value_or(0) - before.threads.value_or(0);
  const auto children = mp::active_children().size();
  std::printf(
      "%s: %d times start and join in %.1f s: wrong exit codes %d, handles %+d, threads %+d, children %zu\n",
      context.get_start_method().c_str(), count, took.count(), wrong, handles, threads, children);
  return wrong == 0 && handles == 0 && threads == 0 && children == 0;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  figures::use_launcher(argv[0]);
  const int count = figures::count_argument(argc, argv);
  bool good = true;
  for (const auto& method : mp::get_all_start_methods()) good = run(mp::get_context(method), count) && good;
  return good ? 0 : 1;
}
