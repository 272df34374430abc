// LeakCheck: counts around a test case.
#include "test_support/leak_check.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

namespace multiprocessing::test_support {
namespace {

std::function<void()>& warm_up() {
  static std::function<void()> touch;
  return touch;
}

bool is_emulated() noexcept { return std::getenv("MULTIPROCESSING_TEST_EMULATED") != nullptr; }

// Under wine a mutex gets an event when threads first meet at it, and keeps it; nobody knows in which case
// they do. Windows itself has no such excuse.
int events_of_mutexes(const Holdings& before, const Holdings& after) {
  const bool may_be = is_emulated() && before.handles && after.handles && after.threads <= before.threads;
  return may_be ? std::max(*after.handles - *before.handles, 0) : 0;
}

}  // namespace

void set_warm_up(std::function<void()> touch) { warm_up() = std::move(touch); }

LeakCheck::LeakCheck() {
  if (const auto touch = std::exchange(warm_up(), nullptr)) touch();
  // Under wine a look costs a call of its one server for each handle, and fewer than before are excused.
  before_ = is_emulated() ? holdings() : settled_holdings();
}

LeakCheck::~LeakCheck() {
  static int events_to_come = 2;  // in all cases of this program
  if (std::uncaught_exceptions() > 0 || returns_to(before_)) return;
  const Holdings after = holdings();
  const int events = events_of_mutexes(before_, after);
  if (events > 0 && events <= events_to_come) {
    events_to_come -= events;
    return;
  }
  CHECK_MESSAGE(after.handles == before_.handles,
                "handles leaked or closed twice: ", before_.handles.value_or(-1), " before, ",
                after.handles.value_or(-1), " after");
  CHECK_MESSAGE(after.threads <= before_.threads, "threads left running: ", before_.threads.value_or(-1),
                " before, ", after.threads.value_or(-1), " after");
}

}  // namespace multiprocessing::test_support
