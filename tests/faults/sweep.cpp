// ctest: timeout=300
// Fails the N-th call of every kind that starting, watching and joining a child makes, for every N and
// every documented condition: each failure is reported or recovered from, nothing leaks, nothing hangs.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <cstdlib>
#include <string>
#include <vector>

#include "contract/fault.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace faults_sweep {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;
using mp::test_support::holdings;
using mp::test_support::returns_to;

int add(int a, int b) { return a + b; }

/// A child with a pipe, one that is told to stop, and a call with a result.
void scenario(mp::Context& context) {
  auto p = context.Process(mp::ProcessOptions{.standard_output = mp::Stdio::pipe}, [] { mp::exit(3); });
  p.start();
  p.standard_output().read_all();
  p.join();
  if (p.exitcode() != 3) throw mp::RuntimeError("wrong exit code");
  if (context.call(add, 2, 3) != 5) throw mp::RuntimeError("wrong sum");
  if (context.call_async(add, 3, 4).result() != 7) throw mp::RuntimeError("wrong sum");
}

/// Ends what a scenario that was broken off has left running, as a program would.
void clean_up() {
  for (auto& child : mp::active_children()) {
    child.kill();
    child.join();
  }
}

/// Whether the failure was injected. An error that is not the library's own ends the test.
bool run_with_fault(mp::Context& context, platform::Call call, std::uint64_t n,
                    platform::Condition condition) {
  platform::fault_plan::clear();
  platform::fault_plan::fail(call, n, condition);
  try {
    scenario(context);
  } catch (const mp::Error&) {
  }
  const bool injected = platform::fault_plan::injected() > 0;
  platform::fault_plan::clear();
  clean_up();
  return injected;
}

TEST_SUITE("faults.sweep") {
  TEST_CASE("the N-th call fails, for every call, condition and N") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      scenario(context);
      const auto before = holdings();
      for (const auto& row : platform::fault_table)
        for (const auto condition : row.distinct()) {
          std::uint64_t n = 1;
          while (run_with_fault(context, row.call, n, condition)) ++n;
          INFO(std::string(row.name), " fails as ", std::string(platform::name_of(condition)), ", ", n - 1,
               " times");
          CHECK(returns_to(before));
        }
    });
  }

  TEST_CASE("reads and writes that are cut to a few bytes change nothing") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      for (const std::size_t bytes : {1, 3, 7}) {
        platform::fault_plan::clear();
        platform::fault_plan::cut(platform::Call::channel_read, bytes);
        platform::fault_plan::cut(platform::Call::channel_write, bytes);
        CHECK_NOTHROW(scenario(context));
        platform::fault_plan::clear();
      }
    });
  }
}

}  // namespace faults_sweep
