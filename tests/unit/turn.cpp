// Turn: one at a time, and a wait for one that ends with a stop or with the time.
#include "support/turn.hpp"

#include <doctest/doctest.h>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/stop_token.hpp>

#include <chrono>
#include <future>
#include <string>
#include <vector>

namespace unit_turn {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::platform::Deadline;
using mp::runtime::Turn;

TEST_SUITE("unit.turn") {
  TEST_CASE("one at a time, and a wait for one ends with a stop") {
    Turn turn("the table");
    mp::StopSource source;
    {
      const Turn::Holder first(turn, {});
      auto second = std::async(std::launch::async, [&] { const Turn::Holder holder(turn, source.token()); });
      source.request_stop();
      CHECK_THROWS_AS(second.get(), mp::CancelledError);
      CHECK_THROWS_AS(Turn::Holder(turn, source.token()), mp::CancelledError);
    }
    const Turn::Holder free(turn, source.token());  // no wait, no error
  }

  TEST_CASE("a wait for one ends with the time, and the text says what for") {
    Turn turn("the table");
    {
      const Turn::Holder first(turn, {});
      CHECK_THROWS_AS(Turn::Holder(turn, {}, Deadline::now()), mp::TimeoutError);
      try {
        const Turn::Holder late(turn, {}, Deadline::after(1ms));
        FAIL("somebody else has it");
      } catch (const mp::TimeoutError& error) {
        CHECK(std::string(error.what()).find("the table") != std::string::npos);
      }
    }
    const Turn::Holder free(turn, {}, Deadline::now());  // no wait, no error
  }

  TEST_CASE("everybody gets one") {
    Turn turn("the count");
    int count = 0;
    std::vector<std::future<void>> all;
    for (int i = 0; i < 4; ++i)
      all.push_back(std::async(std::launch::async, [&] {
        const mp::StopSource source;
        for (int n = 0; n < 2000; ++n) {
          const Turn::Holder holder(turn, n % 2 == 0 ? source.token() : mp::StopToken());
          ++count;
        }
      }));
    for (auto& each : all) each.get();
    CHECK(count == 8000);
  }
}

}  // namespace unit_turn
