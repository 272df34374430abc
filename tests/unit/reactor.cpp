// The one event loop, and what a fork makes of it.
#include <multiprocessing/errors.hpp>
#include <multiprocessing/logging.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <thread>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/process.hpp"
#include "support/deadline.hpp"
#include "support/log.hpp"
#include "support/reactor.hpp"
#include "support/wait.hpp"
#include "test_support/listener.hpp"
#include "test_support/results.hpp"

namespace mp = multiprocessing;
namespace platform = mp::platform;
using namespace std::chrono_literals;

namespace reactor_test {

using mp::test_support::must;

/// Whether the loop runs a function and a timer within ten seconds.
bool loop_works() {
  std::promise<void> posted;
  std::promise<void> due;
  mp::runtime::reactor().post([&] { posted.set_value(); });
  must(mp::runtime::reactor().at(mp::runtime::deadline_after(1ms), [&] { due.set_value(); }));
  return posted.get_future().wait_for(10s) == std::future_status::ready &&
         due.get_future().wait_for(10s) == std::future_status::ready;
}

/// Forks under the guard; the exit code of the child says whether `body` was true there.
template <class Body>
platform::ExitStatus in_forked_child(Body body) {
  mp::runtime::ForkGuard guard;
  auto outcome = must(platform::fork_process({}));
  if (outcome.in_child) {
    guard.in_child();
    platform::end_now(body() ? 0 : 1);
  }
  guard.in_parent();
  if (!mp::runtime::wait_for_handle(outcome.child.sentinel(), mp::runtime::deadline_after(30s), {})) {
    static_cast<void>(outcome.child.send(platform::StopSignal::kill));
    FAIL("the forked child hangs");
  }
  return outcome.child.poll().value();
}

}  // namespace reactor_test

TEST_SUITE("unit.reactor") {
  using reactor_test::in_forked_child;
  using reactor_test::loop_works;
  using reactor_test::must;

  TEST_CASE("all threads get the same loop") {
    std::vector<std::thread> threads;
    std::vector<platform::EventLoop*> seen(4);
    for (auto& loop : seen) threads.emplace_back([&loop] { loop = &mp::runtime::reactor(); });
    for (auto& thread : threads) thread.join();
    CHECK(std::set(seen.begin(), seen.end()) == std::set{&mp::runtime::reactor()});
    CHECK(loop_works());
  }

  TEST_CASE("callbacks know that they run in the loop's thread") {
    CHECK_FALSE(mp::runtime::in_reactor_thread());
    std::promise<bool> inside;
    mp::runtime::reactor().post([&] { inside.set_value(mp::runtime::in_reactor_thread()); });
    CHECK(inside.get_future().get());
  }

  TEST_CASE("while the guard stands the loop rests; afterwards it goes on") {
    static_cast<void>(mp::runtime::reactor());
    std::atomic<bool> standing = true;
    std::promise<bool> ran_early;
    std::thread poster;
    {
      const mp::runtime::ForkGuard guard;
      poster = std::thread([&] { mp::runtime::reactor().post([&] { ran_early.set_value(standing); }); });
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      standing = false;
    }
    CHECK_FALSE(ran_early.get_future().get());
    poster.join();
    CHECK(loop_works());
  }

  TEST_CASE("guards of two threads stand one after the other") {
    std::atomic<int> standing = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
      threads.emplace_back([&] {
        for (int round = 0; round < 20; ++round) {
          mp::runtime::ForkGuard guard;
          CHECK(standing.fetch_add(1) == 0);
          --standing;
          guard.in_parent();
        }
      });
    for (auto& thread : threads) thread.join();
    CHECK(loop_works());
  }

  TEST_CASE("the loop's thread may log while another forks, and may not fork itself") {
    std::atomic<bool> ended = false;
    mp::set_log_sink([](mp::Level, std::string_view) {});
    for (int i = 0; i < 200; ++i)
      mp::runtime::reactor().post([] { mp::runtime::log(mp::Level::error, "x"); });
    mp::runtime::reactor().post([&] { ended = true; });
    while (!ended) {
      const mp::runtime::ForkGuard guard;
    }
    mp::set_log_sink({});

    std::promise<bool> refused;
    mp::runtime::reactor().post([&] {
      try {
        const mp::runtime::ForkGuard guard;
        refused.set_value(false);
      } catch (const mp::RuntimeError&) {
        refused.set_value(true);
      }
    });
    CHECK(refused.get_future().get());
  }

  TEST_CASE("a forked child gets a loop of its own, the parent keeps his") {
    if (!platform::capabilities().fork) {
      mp::test_support::skip("no fork here");
      return;
    }
    CHECK(loop_works());
    platform::EventLoop* const ours = &mp::runtime::reactor();
    CHECK(in_forked_child([&] { return loop_works() && &mp::runtime::reactor() != ours; }) ==
          platform::ExitStatus{platform::ExitStatus::Kind::exited, 0});
    CHECK(&mp::runtime::reactor() == ours);
    CHECK(loop_works());
  }

  TEST_CASE("a forked child can log, whatever its parent's threads were doing") {
    if (!platform::capabilities().fork) {
      mp::test_support::skip("no fork here");
      return;
    }
    std::atomic<bool> ended = false;
    std::atomic<int> records = 0;
    mp::set_log_sink([&](mp::Level, std::string_view) { ++records; });
    std::thread logging([&] {
      while (!ended) mp::runtime::log(mp::Level::error, "x");
    });
    for (int i = 0; i < 20; ++i)
      CHECK(in_forked_child([&] {
              const int before = records;
              mp::runtime::log(mp::Level::error, "y");
              return records == before + 1;
            }).code == 0);
    ended = true;
    logging.join();
    mp::set_log_sink({});
  }
}
