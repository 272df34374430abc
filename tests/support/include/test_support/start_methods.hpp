// Runs a test once for each start method of the system, where that matters.
#pragma once

#include <doctest/doctest.h>
#include <multiprocessing/context.hpp>

#include <string>

namespace multiprocessing::test_support {

/// Calls `test(context)` with the context of each start method in turn; a failure names the method.
template <class Test>
void with_each_start_method(Test test) {
  for (const std::string& method : get_all_start_methods()) {
    INFO("start method: ", method);
    test(get_context(method));
  }
}

/// Whether the system can fork.
[[nodiscard]] inline bool can_fork() {
  for (const std::string& method : get_all_start_methods())
    if (method == "fork") return true;
  return false;
}

}  // namespace multiprocessing::test_support
