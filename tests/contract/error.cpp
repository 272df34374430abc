// What real failures carry: the call's name, the system's code and its words.
#include "contract/error.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <system_error>

#include "contract/process.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/results.hpp"

namespace multiprocessing::platform::error_tests {

using namespace test_support;

TEST_SUITE("contract.error") {
  TEST_CASE_FIXTURE(LeakCheck, "a refusal of the system keeps the system's code and words") {
    LaunchRequest request;
    request.executable = "no-such-folder/no-such-program";
    request.arguments = {"no-such-program"};
    const auto result = launch(request);
    REQUIRE(outcome(result) == Condition::not_found);
    const Error& error = result.error();
    CHECK(error.native != 0);
    CHECK(error.code().category() == std::system_category());
    CHECK(error.code().value() == error.native);
    CHECK(std::string_view(error.call) != "");
    CHECK(error.to_string() == std::string(error.call) + ": " + error.code().message());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a failure that is no refusal of the system has words too") {
    const Wakeup wakeup = must(Wakeup::create());
    const auto status = wait_one(wakeup.waitable(), Deadline::now());
    REQUIRE(outcome(status) == Condition::timed_out);
    CHECK(status.error().code());
    CHECK(status.error().to_string().starts_with(std::string(status.error().call) + ": "));
  }
}

}  // namespace multiprocessing::platform::error_tests
