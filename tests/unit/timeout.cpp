// TimeLimit: cooperative, nestable, with a token.
#include <multiprocessing/errors.hpp>
#include <multiprocessing/timeout.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace timeout_test {

/// Waits until the token is set; false after ten seconds.
bool gets_set(const mp::StopToken& token) {
  std::promise<void> stopped;
  const mp::StopCallback callback(token, [&] { stopped.set_value(); });
  return stopped.get_future().wait_for(10s) == std::future_status::ready;
}

}  // namespace timeout_test

TEST_SUITE("unit.timeout") {
  TEST_CASE("a limit that is far away lets everything pass") {
    const mp::TimeLimit limit(1h);
    CHECK_NOTHROW(limit.check());
    CHECK_FALSE(limit.expired());
    CHECK(limit.remaining() <= 1h);
    CHECK(limit.remaining() > 30min);
    CHECK_FALSE(limit.token().stop_requested());
    CHECK(limit.token() == limit.token());
  }

  TEST_CASE("an infinite one never ends") {
    const mp::TimeLimit limit(mp::infinite);
    CHECK_FALSE(limit.expired());
    CHECK(limit.remaining().is_infinite());
    CHECK_FALSE(limit.token().stop_requested());
  }

  TEST_CASE("once the time is over check() throws, and says which limit it was") {
    const mp::TimeLimit limit(1ms);
    while (!limit.expired()) std::this_thread::yield();
    CHECK(limit.remaining() == 0s);
    CHECK_THROWS_WITH_AS(limit.check(), "the time limit of 0.001 s is over", mp::TimeOutException);
    CHECK_THROWS_AS(limit.check(), mp::TimeoutError);
    CHECK(limit.token().stop_requested());
  }

  TEST_CASE("nothing is left of no time") {
    for (const mp::Duration span : {mp::Duration(0s), mp::Duration(-5s)}) {
      const mp::TimeLimit limit(span);
      CHECK(limit.expired());
      CHECK(limit.token().stop_requested());
      CHECK_THROWS_AS(limit.check(), mp::TimeOutException);
    }
  }

  TEST_CASE("an inner limit ends no later than the one around it, which it leaves alone") {
    const mp::TimeLimit outer(1h);
    {
      const mp::TimeLimit inner(mp::infinite);
      CHECK(inner.remaining() <= 1h);
    }
    {
      const mp::TimeLimit inner(0s);
      CHECK(inner.expired());
      CHECK_FALSE(outer.expired());
    }
    const mp::TimeLimit middle(0s);
    const mp::TimeLimit inner(mp::infinite);
    CHECK_THROWS_WITH_AS(inner.check(), "the time limit around this one is over", mp::TimeOutException);
  }

  TEST_CASE("limits of other threads are no concern of this one") {
    const mp::TimeLimit ended(0s);
    bool expired = true;
    std::thread([&] { expired = mp::TimeLimit(1h).expired(); }).join();
    CHECK_FALSE(expired);
  }

  TEST_CASE("a limit that has gone is not around any more") {
    { const mp::TimeLimit ended(0s); }
    CHECK_FALSE(mp::TimeLimit(1h).expired());
  }

  TEST_CASE("the token is set when the time is over, also that of a limit around") {
    const mp::TimeLimit outer(20ms);
    const mp::TimeLimit inner(1h);
    CHECK(timeout_test::gets_set(inner.token()));
    CHECK(inner.expired());
    CHECK(timeout_test::gets_set(outer.token()));
  }

  TEST_CASE("a token of a limit that has gone stays as it was") {
    mp::StopToken token;
    {
      const mp::TimeLimit limit(5ms);
      token = limit.token();
    }
    const bool was_set = token.stop_requested();
    const mp::TimeLimit later(20ms);
    CHECK(timeout_test::gets_set(later.token()));
    CHECK(token.stop_requested() == was_set);
  }

  TEST_CASE("many tokens from many threads are one") {
    const mp::TimeLimit limit(1h);
    const mp::StopToken first = limit.token();
    std::thread([&] { CHECK(limit.token() == first); }).join();
  }
}
