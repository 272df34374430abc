// Puts every test case of a doctest program under the watchdog, and the words for a test that is skipped.
#pragma once

#include <string_view>

namespace multiprocessing::test_support {

/// To be called by main before the tests run.
void install_watchdog();

/// How many test cases the filters let through, once the run has ended: a misspelt suite name must not pass.
[[nodiscard]] unsigned cases_run();

/// From now on the running test case may take so long, where the watchdog's usual limit is too short.
void allow_minutes(int minutes);

/// Says that the running test case is skipped, and why; the caller returns then. CI collects these lines.
void skip(std::string_view reason);

}  // namespace multiprocessing::test_support
