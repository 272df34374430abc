// ctest: timeout=300
// The platform fails in the child, before and while its target runs: its parent learns of an end, never waits
// for ever, and leaks nothing.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <cstdlib>
#include <map>
#include <string>

#include "contract/fault.hpp"
#include "test_support/leak_check.hpp"

namespace faults_child {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;

int answer() { return 42; }

/// The environment that a child needs on any system, with a plan in it.
mp::CallOptions with_plan(const std::string& plan) {
  mp::CallOptions options;
  options.process.standard_error = mp::Stdio::null;
  auto& environment = options.process.environment.emplace();
  for (const char* name : {"SystemRoot", "PATH", "HOME", "WINEPREFIX", "WINEDEBUG", "LD_LIBRARY_PATH"})
    if (const char* value = std::getenv(name)) environment[name] = value;
  environment["MULTIPROCESSING_FAULT"] = plan;
  return options;
}

TEST_SUITE("faults.child_faults") {
  TEST_CASE("each call fails in the child once") {
    mp::set_start_method("spawn", true);
    REQUIRE(mp::call(answer) == 42);
    const auto before = mp::test_support::holdings();
    for (const auto& row : platform::fault_table)
      for (const int n : {1, 2}) {
        const std::string plan =
            std::string(row.name) + ":" + std::to_string(n) + ":" + platform::name_of(row.conditions[0]);
        INFO(plan);
        try {
          const int result = mp::call(with_plan(plan), answer);
          CHECK(result == 42);
        } catch (const mp::Error&) {
          // Reported: as the child's own exception, or as its end.
        } catch (const std::exception& error) {
          FAIL("not an error of the library: ", error.what());
        }
        CHECK(mp::active_children().empty());
      }
    CHECK(mp::test_support::returns_to(before));
    mp::set_start_method(mp::get_all_start_methods().front(), true);
  }
}

}  // namespace faults_child
