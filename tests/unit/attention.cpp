// When a wait looks again before it sleeps: what a look finds, and how looks in vain make them seldom.
#include "support/attention.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>

#include "contract/look.hpp"

namespace unit_attention {

using namespace std::chrono_literals;
using multiprocessing::platform::Condition;
using multiprocessing::platform::Deadline;
using multiprocessing::platform::Error;
using multiprocessing::platform::Look;
using multiprocessing::platform::Result;
using multiprocessing::runtime::Attention;

/// Finds something at its n-th attempt.
struct Attempts {
  int until_found;
  int made = 0;

  Result<int> operator()() {
    if (++made < until_found) return Error{Condition::would_block, 0, "attempt"};
    return made;
  }
};

/// So many waits, each of which looks in vain if it looks: how often that was.
int looks_in_vain(Attention& attention, int waits) {
  int count = 0;
  for (int i = 0; i < waits; ++i) {
    auto look = attention.next();
    if (look.at_most == 0ns) continue;
    ++count;
    look.outcome = Look::Outcome::in_vain;
    attention.note(look);
  }
  return count;
}

/// The same, where every look pays.
int looks_that_pay(Attention& attention, int waits) {
  int count = 0;
  for (int i = 0; i < waits; ++i) {
    auto look = attention.next();
    if (look.at_most == 0ns) continue;
    ++count;
    look.outcome = Look::Outcome::paid;
    attention.note(look);
  }
  return count;
}

TEST_SUITE("unit.attention") {
  TEST_CASE("what is there at once needs no look") {
    Look look{1h};
    Attempts attempts{1};
    CHECK(*look_again(look, Deadline::never(), std::ref(attempts)) == 1);
    CHECK(attempts.made == 1);
    CHECK(look.outcome == Look::Outcome::not_needed);
  }

  TEST_CASE("what comes while somebody looks is found, and the look has paid") {
    Look look{1h};
    Attempts attempts{4};
    CHECK(*look_again(look, Deadline::never(), std::ref(attempts)) == 4);
    CHECK(look.outcome == Look::Outcome::paid);
  }

  TEST_CASE("a look ends with its time") {
    Look look{1us};
    Attempts attempts{1'000'000'000};
    CHECK(look_again(look, Deadline::never(), std::ref(attempts)).error().condition ==
          Condition::would_block);
    CHECK(look.outcome == Look::Outcome::in_vain);
  }

  TEST_CASE("a look ends with the deadline of the wait") {
    Look look{1h};
    Attempts attempts{1'000'000'000};
    CHECK(look_again(look, Deadline::after(1ms), std::ref(attempts)).error().condition ==
          Condition::would_block);
    CHECK(look.outcome == Look::Outcome::in_vain);
  }

  TEST_CASE("who must not wait looks once") {
    Look look{1h};
    Attempts attempts{3};
    CHECK_FALSE(look_again(look, Deadline::now(), std::ref(attempts)));
    CHECK(attempts.made == 1);
    CHECK(look.outcome == Look::Outcome::not_needed);
  }

  TEST_CASE("an error ends a look") {
    Look look{1h};
    int made = 0;
    const auto answer = look_again(look, Deadline::never(), [&]() -> Result<int> {
      return Error{++made < 3 ? Condition::would_block : Condition::broken, 0, "attempt"};
    });
    CHECK(answer.error().condition == Condition::broken);
    CHECK(made == 3);
  }

  TEST_CASE("looks that pay are made in every wait") {
    Attention attention;
    CHECK(looks_that_pay(attention, 1000) == 1000);
  }

  TEST_CASE("looks in vain become seldom soon") {
    Attention attention;
    CHECK(looks_in_vain(attention, 100) <= 5);
    CHECK(looks_in_vain(attention, 1'000'000) <= 250);
  }

  TEST_CASE("looks are never given up") {
    Attention attention;
    looks_in_vain(attention, 1'000'000);
    CHECK(looks_in_vain(attention, 10'000) >= 2);
  }

  TEST_CASE("once they pay again they are made again in every wait") {
    Attention attention;
    looks_in_vain(attention, 1'000'000);
    CHECK(looks_that_pay(attention, 5000) >= 900);
    CHECK(looks_that_pay(attention, 1000) == 1000);
  }

  TEST_CASE("looks in vain among many that pay change nothing") {
    Attention attention;
    CHECK(looks_that_pay(attention, 10) == 10);
    for (int i = 0; i < 1000; ++i) {
      CHECK(looks_in_vain(attention, 4) == 4);
      CHECK(looks_that_pay(attention, 1) == 1);
    }
  }

  TEST_CASE("a look that pays among many in vain makes few more of them") {
    Attention attention;
    looks_in_vain(attention, 1'000'000);
    for (int i = 0; i < 5000; ++i) looks_that_pay(attention, 1);
    CHECK(looks_in_vain(attention, 10'000) <= 25);
  }

  TEST_CASE("what was there at once teaches nothing") {
    Attention attention;
    looks_in_vain(attention, 100);
    int looks = 0;
    for (int i = 0; i < 100'000; ++i) {
      const auto look = attention.next();
      if (look.at_most > 0ns) ++looks;
      attention.note(look);
    }
    CHECK(looks > 90'000);
    CHECK(looks_in_vain(attention, 10'000) <= 10);
  }
}

}  // namespace unit_attention
