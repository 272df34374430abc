// Priority as the system sees it: the niceness of a child, by each start method.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "test_support/start_methods.hpp"

namespace backend_priority {

namespace mp = multiprocessing;

int niceness() {
  errno = 0;
  const int result = ::getpriority(PRIO_PROCESS, 0);
  if (errno != 0) throw std::system_error(errno, std::generic_category(), "getpriority");
  return result;
}

int niceness_of_child(mp::Context& context, mp::Priority priority) {
  mp::CallOptions options;
  options.process.priority = priority;
  return context.call(options, niceness);
}

/// Of children with each priority, from the highest on, of a process that is as nice as that.
std::vector<int> children_of_nice_process(const std::string& method, int own) {
  if (::setpriority(PRIO_PROCESS, 0, own) != 0)
    throw std::system_error(errno, std::generic_category(), "setpriority");
  auto& context = mp::get_context(method);
  return {niceness_of_child(context, mp::Priority::normal),
          niceness_of_child(context, mp::Priority::below_normal),
          niceness_of_child(context, mp::Priority::background)};
}

TEST_SUITE("backend.priority") {
  TEST_CASE("a child is as nice as its priority says, and its parent stays as it is") {
    const int own = niceness();
    mp::test_support::with_each_start_method([=](mp::Context& context) {
      CHECK(niceness_of_child(context, mp::Priority::normal) == own);
      CHECK(niceness_of_child(context, mp::Priority::below_normal) == std::max(own, 10));
      CHECK(niceness_of_child(context, mp::Priority::background) == std::max(own, 19));
      // No child before it, and no server, has changed that.
      CHECK(niceness_of_child(context, mp::Priority::normal) == own);
    });
    CHECK(niceness() == own);
  }

  // Which is refused to who is not privileged: so the start would fail.
  TEST_CASE("no child gets a higher priority than its parent has") {
    const int nice = std::max(niceness(), 15);
    mp::test_support::with_each_start_method([=](mp::Context& context) {
      CHECK(context.call(children_of_nice_process, context.get_start_method(), nice) ==
            std::vector{nice, nice, 19});
    });
  }
}

}  // namespace backend_priority
