// Arithmetic of deadlines.
#include "contract/clock.hpp"

#include <doctest/doctest.h>

#include <chrono>

namespace multiprocessing::platform::clock_tests {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST_SUITE("unit.clock") {
  TEST_CASE("never does not pass") {
    constexpr auto never = Deadline::never();
    CHECK(never.is_never());
    CHECK_FALSE(never.expired());
    CHECK(never.remaining() == nanoseconds::max());
    CHECK(never.remaining_milliseconds() == -1);
  }

  TEST_CASE("now has passed") {
    constexpr auto now = Deadline::now();
    CHECK_FALSE(now.is_never());
    CHECK(now.expired());
    CHECK(now.remaining() == 0ns);
    CHECK(now.remaining_milliseconds() == 0);
  }

  TEST_CASE("no time and negative time are now") {
    for (const nanoseconds span : {nanoseconds(0), nanoseconds(-1), nanoseconds(-1h), nanoseconds::min()}) {
      CHECK(Deadline::after(span) == Deadline::now());
      CHECK(Deadline::after(span).expired());
    }
  }

  TEST_CASE("a span that is too long for the clock is never") {
    CHECK(Deadline::after(nanoseconds::max()) == Deadline::never());
    CHECK(Deadline::after(nanoseconds::max() - 1ns).is_never());
  }

  TEST_CASE("what remains shrinks, and is never more than was given") {
    const auto deadline = Deadline::after(1h);
    const auto first = deadline.remaining();
    const auto second = deadline.remaining();
    CHECK(first <= 1h);
    CHECK(first > 50min);
    CHECK(second <= first);
    CHECK_FALSE(deadline.expired());
  }

  TEST_CASE("a deadline passes") {
    const auto deadline = Deadline::after(1ns);
    while (!deadline.expired()) {
    }
    CHECK(deadline.remaining() == 0ns);
    CHECK(deadline.remaining_milliseconds() == 0);
  }

  TEST_CASE("milliseconds are rounded up and capped at a day") {
    CHECK(Deadline::after(1h).remaining_milliseconds() <= 3'600'000);
    CHECK(Deadline::after(1h).remaining_milliseconds() > 3'000'000);
    CHECK(Deadline::after(std::chrono::hours(24 * 365)).remaining_milliseconds() == 24 * 3'600'000);
    const auto soon = Deadline::after(900us);
    const int left = soon.remaining_milliseconds();
    CHECK((left == 1 || (left == 0 && soon.expired())));
  }

  TEST_CASE("deadlines are compared by the time that they mean") {
    const auto sooner = Deadline::after(1s);
    const auto later = Deadline::after(1h);
    CHECK(sooner < later);
    CHECK(Deadline::now() < sooner);
    CHECK(later < Deadline::never());
    CHECK(Deadline::never() == Deadline::never());
  }
}

}  // namespace multiprocessing::platform::clock_tests
