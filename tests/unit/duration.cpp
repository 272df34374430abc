// Duration saturates, and becomes a deadline.
#include <multiprocessing/duration.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <limits>

#include "support/deadline.hpp"

namespace mp = multiprocessing;
namespace chrono = std::chrono;

TEST_SUITE("unit.duration") {
  TEST_CASE("every chrono duration turns into one") {
    CHECK(mp::Duration(chrono::seconds(2)).nanoseconds() == chrono::nanoseconds(2'000'000'000));
    CHECK(mp::Duration(chrono::duration<double>(0.5)) == mp::Duration(chrono::milliseconds(500)));
    CHECK(mp::Duration(chrono::duration<float, std::milli>(1.0F)) ==
          mp::Duration(chrono::microseconds(1000)));
    CHECK(mp::Duration(chrono::nanoseconds(-1)).nanoseconds() == chrono::nanoseconds(-1));
    static_assert(mp::Duration(chrono::seconds(1)) < mp::infinite);
  }

  TEST_CASE("what does not fit is infinite, and the other way the least there is") {
    CHECK(mp::Duration(chrono::hours::max()).is_infinite());
    CHECK(mp::Duration(chrono::nanoseconds::max()).is_infinite());
    CHECK(mp::Duration(chrono::duration<double>(1e300)).is_infinite());
    CHECK(mp::Duration(chrono::duration<double>(std::numeric_limits<double>::infinity())) == mp::infinite);
    CHECK(mp::Duration(chrono::hours::min()).nanoseconds() == chrono::nanoseconds::min());
    CHECK(mp::Duration(chrono::duration<double>(-1e300)).nanoseconds() == chrono::nanoseconds::min());
  }

  TEST_CASE("not a number is zero") {
    const mp::Duration none = chrono::duration<double>(std::numeric_limits<double>::quiet_NaN());
    CHECK(none.nanoseconds() == chrono::nanoseconds::zero());
  }

  TEST_CASE("infinite never comes, zero and less have come") {
    CHECK(mp::runtime::deadline_after(mp::infinite).is_never());
    CHECK(mp::runtime::deadline_after(chrono::seconds(0)).expired());
    CHECK(mp::runtime::deadline_after(chrono::seconds(-5)).expired());
    CHECK(mp::runtime::deadline_after(chrono::hours::min()).expired());
    CHECK(mp::runtime::deadline_after(chrono::hours::max()).is_never());
    CHECK_FALSE(mp::runtime::deadline_after(chrono::hours(1)).expired());
    // 292 years: it fits into a Duration, and not into the clock from now on.
    const mp::Duration longest = chrono::nanoseconds::max() - chrono::nanoseconds(1'000'000);
    CHECK_FALSE(mp::runtime::deadline_after(longest).expired());
  }

  TEST_CASE("what is left until a deadline") {
    CHECK(mp::runtime::remaining(mp::runtime::deadline_after(mp::infinite)).is_infinite());
    CHECK(mp::runtime::remaining(mp::runtime::deadline_after(chrono::seconds(-1))) == chrono::seconds(0));
    const mp::Duration left = mp::runtime::remaining(mp::runtime::deadline_after(chrono::hours(1)));
    CHECK(left > chrono::minutes(30));
    CHECK(left <= chrono::hours(1));
  }
}
