// LeakCheck: counts around a test case.
#include "test_support/leak_check.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <exception>
#include <utility>

namespace multiprocessing::test_support {
namespace {

std::function<void()>& warm_up() {
  static std::function<void()> touch;
  return touch;
}

// Under wine a mutex gets an event when threads first meet at it, and keeps it: the first case of a process
// may bring some. Windows itself has no such excuse.
bool are_events_of_mutexes(const Holdings& before, const Holdings& after) {
  constexpr int at_most = 2;
  return std::getenv("MULTIPROCESSING_TEST_EMULATED") != nullptr && before.handles && after.handles &&
         *after.handles > *before.handles && *after.handles - *before.handles <= at_most &&
         after.threads <= before.threads;
}

}  // namespace

void set_warm_up(std::function<void()> touch) { warm_up() = std::move(touch); }

LeakCheck::LeakCheck() {
  if (const auto touch = std::exchange(warm_up(), nullptr)) touch();
  before_ = holdings();
}

LeakCheck::~LeakCheck() {
  static bool first = true;
  const bool is_first = std::exchange(first, false);
  if (std::uncaught_exceptions() > 0 || returns_to(before_)) return;
  const Holdings after = holdings();
  if (is_first && are_events_of_mutexes(before_, after)) return;
  CHECK_MESSAGE(after.handles == before_.handles,
                "handles leaked or closed twice: ", before_.handles.value_or(-1), " before, ",
                after.handles.value_or(-1), " after");
  CHECK_MESSAGE(after.threads <= before_.threads, "threads left running: ", before_.threads.value_or(-1),
                " before, ", after.threads.value_or(-1), " after");
}

}  // namespace multiprocessing::test_support
