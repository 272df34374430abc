// ctest: timeout=300 cost=11
// The platform fails in a spawned child, before and while its target runs: its parent learns of an end, never
// waits for ever, and leaks nothing. A forked child has its parent's plan: sweep.cpp.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "contract/fault.hpp"
#include "injection.hpp"
#include "test_support/leak_check.hpp"

namespace faults_child {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;

/// What a spawned child that does nothing of its own asks of its system.
constexpr std::array<std::string_view, 9> made_by_children = {
    "channel_adopt", "channel_read",      "channel_write",    "resolve",      "wait_either",
    "open_sentinel", "run_in_background", "arm_crash_report", "end_with_peer"};

/// Looks for a stop request, and gives the thread that follows the parent the time to begin with it.
int answer() {
  if (mp::stop_token().stop_requested()) return 1;
  // For both, or without a sentinel of the parent for the channel alone.
  const bool watched = mp::test_support::eventually([] {
    return platform::fault_plan::count(platform::Call::wait_either) +
               platform::fault_plan::count(platform::Call::wait_one) >
           0;
  });
  return watched ? 42 : 0;
}

mp::CallOptions with_plan(const std::string& plan, const faults::Marks& marks) {
  mp::CallOptions options;
  options.process.standard_error = mp::Stdio::null;
  auto& environment = options.process.environment.emplace(faults::plain_environment());
  environment["MULTIPROCESSING_FAULT"] = plan;
  environment["MULTIPROCESSING_FAULT_MARK"] = marks.path();
  return options;
}

/// Whether the failure was injected.
bool call_with_fault(const platform::FaultRow& row, std::uint64_t n, platform::Condition condition,
                     const faults::Marks& marks) {
  const std::string plan =
      std::string(row.name) + ":" + std::to_string(n) + ":" + platform::name_of(condition);
  INFO(plan);
  marks.forget();
  try {
    const int result = mp::call(with_plan(plan, marks), answer);
    CHECK(result == 42);
  } catch (...) {
    // The child's own exception, or its end.
    if (!faults::reports_a_failed_call() || marks.count() == 0)
      FAIL_CHECK("not the report of a failed call: ", faults::current_text());
  }
  CHECK(mp::active_children().empty());
  return marks.count() > 0;
}

TEST_SUITE("faults.child_faults") {
  TEST_CASE("any one call fails in the child") {
    const std::string default_method = mp::get_start_method();
    mp::set_start_method("spawn", true);
    REQUIRE(mp::call(answer) == 42);
    const faults::Marks marks;
    const auto before = mp::test_support::settled_holdings();
    for (const auto& row : platform::fault_table)
      for (const auto condition : row.distinct()) {
        INFO(std::string(row.name), " fails as ", std::string(platform::name_of(condition)));
        std::uint64_t n = 1;
        while (n < 100 && call_with_fault(row, n, condition, marks)) ++n;
        CHECK(n < 100);
        CHECK((n > 1) ==
              (std::ranges::find(made_by_children, std::string_view(row.name)) != made_by_children.end()));
      }
    CHECK(mp::test_support::returns_to(before));
    mp::set_start_method(default_method, true);
  }
}

}  // namespace faults_child
