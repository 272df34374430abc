// A stop ends every wait of a connection, whatever it waits for, and leaves it good where it can.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "test_support/abilities.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/start_methods.hpp"

namespace api_connection_stops {

namespace mp = multiprocessing;
using namespace std::chrono_literals;

/// Sends until nothing more goes out; the connection is good afterwards.
void fill(mp::Connection& connection) {
  mp::StopSource source;
  source.request_stop();
  try {
    for (;;) connection.send_bytes("x", 0, {}, source.token());
  } catch (const mp::CancelledError&) {
  }
}

/// Of the OSError that a task ends with.
std::error_code reason_of(std::future<void>& task) {
  try {
    task.get();
  } catch (const mp::OSError& error) {
    return error.code();
  }
  return {};
}

void take_and_end(const mp::Connection&) {}

TEST_SUITE("api.connection_stops") {
  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "a stop ends the wait for another thread that receives") {
    auto [a, b] = mp::Pipe();
    auto first = std::async(std::launch::async, [&, &in = b] { return in.recv<int>(); });
    mp::StopSource source;
    auto second = std::async(std::launch::async, [&, &in = b] { return in.recv<int>(source.token()); });
    auto third = std::async(std::launch::async, [&, &in = b] {
      std::byte place{};
      return in.recv_bytes_into(std::span(&place, 1), 0, source.token());
    });
    source.request_stop();
    CHECK_THROWS_AS(second.get(), mp::CancelledError);
    CHECK_THROWS_AS(third.get(), mp::CancelledError);
    a.send(1);
    CHECK(first.get() == 1);
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "a stop ends the wait for another thread that sends") {
    auto [a, b] = mp::Pipe();
    const std::vector<std::byte> much(3'000'000, std::byte{1});
    auto first = std::async(std::launch::async, [&, &out = a] { out.send_bytes(much); });
    CHECK(b.poll(mp::infinite));  // it has begun
    mp::StopSource source;
    auto second = std::async(std::launch::async, [&, &out = a] { out.send(2, source.token()); });
    source.request_stop();
    CHECK_THROWS_AS(second.get(), mp::CancelledError);
    CHECK(b.recv_bytes() == much);
    first.get();
    a.send(3);
    CHECK(b.recv<int>() == 3);
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck,
                    "a send that is given up before anything went out leaves the connection good") {
    if (!mp::test_support::knows_what_was_sent()) {
      mp::test_support::skip("the system does not tell how much of a write was taken");
      return;
    }
    auto [a, b] = mp::Pipe();
    fill(a);
    REQUIRE_FALSE(a.closed());
    mp::StopSource source;
    source.request_stop();
    auto [c, d] = mp::Pipe();
    CHECK_THROWS_AS(a.send(c, source.token()), mp::CancelledError);
    CHECK_THROWS_AS(a.send_bytes(std::vector<std::byte>(100'000), 0, {}, source.token()), mp::CancelledError);
    CHECK_FALSE(a.closed());
    auto last = std::async(std::launch::async, [&, &out = a] { out.send(42); });
    for (;;) {
      const auto message = b.recv_bytes();
      if (message.size() != 1) break;  // the last
    }
    last.get();
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck,
                    "a send that is given up in the middle closes the connection") {
    auto [a, b] = mp::Pipe();
    mp::StopSource source;
    source.request_stop();
    CHECK_THROWS_AS(a.send_bytes(std::vector<std::byte>(5'000'000), 0, {}, source.token()),
                    mp::CancelledError);
    CHECK(a.closed());
    CHECK_THROWS_AS((void)b.recv_bytes(), mp::EOFError);
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "nobody completes what another sender left half-way") {
    for (int round = 0; round < 20; ++round) {
      auto [a, b] = mp::Pipe();
      const std::vector<std::byte> much(3'000'000);
      mp::StopSource source;
      auto first =
          std::async(std::launch::async, [&, &out = a] { out.send_bytes(much, 0, {}, source.token()); });
      CHECK(b.poll(mp::infinite));  // it has begun
      std::atomic<bool> ready = false;
      auto second = std::async(std::launch::async, [&, &out = a] {
        ready = true;
        out.send_bytes(much);
      });
      while (!ready) std::this_thread::yield();
      source.request_stop();
      CHECK_THROWS_AS(first.get(), mp::CancelledError);
      CHECK_THROWS_AS((void)b.recv_bytes(), mp::EOFError);
      b.close();
      CHECK(reason_of(second) == std::errc::bad_file_descriptor);
    }
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "nobody receives what another receiver refused") {
    constexpr int receivers = 4;
    for (int round = 0; round < 20; ++round) {
      auto [a, b] = mp::Pipe();
      std::atomic<int> about_to_receive = 0;  // a latch of libstdc++ 12 was seen to wait for ever on Windows
      std::vector<std::future<void>> tasks;
      for (int i = 0; i < receivers; ++i)
        tasks.push_back(std::async(std::launch::async, [&, &in = b] {
          ++about_to_receive;
          (void)in.recv_bytes(10);
        }));
      while (about_to_receive < receivers) std::this_thread::yield();
      a.send_bytes(std::vector<std::byte>(1000));
      std::vector<std::error_code> reasons;
      for (auto& task : tasks) reasons.push_back(reason_of(task));
      CHECK(std::ranges::count(reasons, make_error_code(std::errc::message_size)) == 1);
      CHECK(std::ranges::count(reasons, make_error_code(std::errc::bad_file_descriptor)) == receivers - 1);
    }
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck,
                    "what a child was given and had no time to take is closed when it is killed") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      for (int i = 0; i < 5; ++i) {
        auto [ours, theirs] = mp::Pipe();
        auto p = context.Process(take_and_end, theirs);
        p.start();
        p.kill();
        theirs.close();
        p.join();
        CHECK_THROWS_AS((void)ours.recv<int>(), mp::EOFError);
      }
    });
  }
}

}  // namespace api_connection_stops
