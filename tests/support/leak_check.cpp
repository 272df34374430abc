// LeakCheck: counts around a test case.
#include "test_support/leak_check.hpp"

#include <doctest/doctest.h>

#include <exception>
#include <utility>

namespace multiprocessing::test_support {
namespace {

std::function<void()>& warm_up() {
  static std::function<void()> touch;
  return touch;
}

}  // namespace

void set_warm_up(std::function<void()> touch) { warm_up() = std::move(touch); }

LeakCheck::LeakCheck() {
  if (const auto touch = std::exchange(warm_up(), nullptr)) touch();
  before_ = holdings();
}

LeakCheck::~LeakCheck() {
  if (std::uncaught_exceptions() > 0 || returns_to(before_)) return;
  const Holdings after = holdings();
  CHECK_MESSAGE(after.handles == before_.handles,
                "handles leaked or closed twice: ", before_.handles.value_or(-1), " before, ",
                after.handles.value_or(-1), " after");
  CHECK_MESSAGE(after.threads <= before_.threads, "threads left running: ", before_.threads.value_or(-1),
                " before, ", after.threads.value_or(-1), " after");
}

}  // namespace multiprocessing::test_support
