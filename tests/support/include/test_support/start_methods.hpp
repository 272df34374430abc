// Runs a test once for each start method of the system, where that matters.
#pragma once

#include <doctest/doctest.h>
#include <multiprocessing/context.hpp>

#include <string>

#include "test_support/abilities.hpp"

namespace multiprocessing::test_support {

/// Calls `test(context)` with the context of each start method in turn; a failure names the method.
template <class Test>
void with_each_start_method(Test test) {
  for (const std::string& method : get_all_start_methods()) {
    INFO("start method: ", method);
    test(get_context(method));
  }
}

/// The same for a test whose other threads allocate meanwhile: without "fork" where that is not safe.
template <class Test>
void with_each_start_method_beside_threads(Test test) {
  with_each_start_method([&](Context& context) {
    if (context.get_start_method() != "fork" || forks_beside_threads()) test(context);
  });
}

/// Whether the system can fork.
[[nodiscard]] inline bool can_fork() {
  for (const std::string& method : get_all_start_methods())
    if (method == "fork") return true;
  return false;
}

}  // namespace multiprocessing::test_support
