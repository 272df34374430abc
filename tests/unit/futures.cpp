// FutureCore, and Future on top of it: who decides, who waits, who is called.
#include <multiprocessing/errors.hpp>
#include <multiprocessing/futures.hpp>
#include <multiprocessing/logging.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/callbacks.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace futures_test {

using Core = mp::detail::FutureCore;

std::vector<std::byte> some_bytes(unsigned char value) { return {std::byte{value}}; }

/// Returns when every callback of a future that was decided before has run.
void wait_for_callbacks() {
  std::promise<void> reached;
  mp::runtime::run_callback([&] { reached.set_value(); });
  reached.get_future().wait();
}

std::exception_ptr some_error() { return std::make_exception_ptr(std::out_of_range("too far")); }

}  // namespace futures_test

TEST_SUITE("unit.futures") {
  using futures_test::Core;
  using futures_test::some_bytes;
  using futures_test::some_error;
  using futures_test::wait_for_callbacks;

  TEST_CASE("the first decision stands") {
    Core core;
    CHECK_FALSE(core.done());
    CHECK(core.set_result(some_bytes(1)));
    CHECK_FALSE(core.set_result(some_bytes(2)));
    CHECK_FALSE(core.set_exception(some_error()));
    CHECK_FALSE(core.cancel());
    CHECK(core.done());
    CHECK_FALSE(core.cancelled());
    CHECK(core.bytes(mp::infinite, {}) == some_bytes(1));
    CHECK(core.bytes(0s, {}) == some_bytes(1));
    CHECK(core.exception(mp::infinite, {}) == nullptr);
  }

  TEST_CASE("an exception is thrown again, any number of times") {
    Core core;
    CHECK(core.set_exception(some_error()));
    for (int i = 0; i < 2; ++i)
      CHECK_THROWS_WITH_AS(core.bytes(mp::infinite, {}), "too far", std::out_of_range);
    CHECK(core.exception(0s, {}) != nullptr);
  }

  TEST_CASE("waiting ends with the time") {
    const Core core;
    CHECK_FALSE(core.wait(0s, {}));
    CHECK_FALSE(core.wait(-1s, {}));
    CHECK_FALSE(core.wait(10ms, {}));
    CHECK_THROWS_AS(core.bytes(1ms, {}), mp::TimeoutError);
    CHECK_THROWS_AS(static_cast<void>(core.exception(1ms, {})), mp::TimeoutError);
  }

  TEST_CASE("waiting ends with the result that another thread brings, however long it might have been") {
    for (const mp::Duration timeout :
         {mp::infinite, mp::Duration(std::chrono::hours(1'000'000)), mp::Duration(60s)}) {
      Core core;
      std::thread worker([&] { core.set_result(some_bytes(7)); });
      CHECK(core.bytes(timeout, {}) == some_bytes(7));
      worker.join();
    }
  }

  TEST_CASE("a stop request ends the waiting, but does not hide a result") {
    Core core;
    mp::StopSource source;
    std::thread stopper([&] { source.request_stop(); });
    CHECK_THROWS_AS(core.wait(mp::infinite, source.token()), mp::CancelledError);
    stopper.join();
    CHECK_THROWS_AS(core.bytes(0s, source.token()), mp::CancelledError);
    CHECK_FALSE(core.done());
    core.set_result(some_bytes(1));
    CHECK(core.bytes(mp::infinite, source.token()) == some_bytes(1));
  }

  TEST_CASE("cancel stops the work once and answers CancelledError from then on") {
    Core core;
    int stopped = 0;
    core.on_cancel([&] { ++stopped; });
    CHECK(core.cancel());
    CHECK(core.cancel());
    CHECK(stopped == 1);
    CHECK(core.done());
    CHECK(core.cancelled());
    CHECK_FALSE(core.set_result(some_bytes(1)));
    CHECK_THROWS_AS(core.bytes(mp::infinite, {}), mp::CancelledError);
    CHECK_THROWS_AS(static_cast<void>(core.exception(mp::infinite, {})), mp::CancelledError);
  }

  TEST_CASE("work that is announced after the cancelling is stopped at once") {
    Core core;
    core.cancel();
    int stopped = 0;
    core.on_cancel([&] { ++stopped; });
    CHECK(stopped == 1);
    Core other;
    other.set_result({});
    other.on_cancel([] { FAIL("there is nothing to stop"); });
  }

  TEST_CASE("work that is announced while earlier work is being stopped is stopped, too") {
    Core core;
    int stopped = 0;
    core.on_cancel([&] { core.on_cancel([&] { ++stopped; }); });
    CHECK(core.cancel());
    CHECK(stopped == 1);
  }

  TEST_CASE("who cancels while another does is told that it is cancelled") {
    Core core;
    std::promise<void> stopping;
    std::promise<void> go_on;
    core.on_cancel([&] {
      stopping.set_value();
      go_on.get_future().wait();
    });
    std::thread first([&] { CHECK(core.cancel()); });
    stopping.get_future().wait();
    CHECK(core.cancel());
    go_on.set_value();
    first.join();
    CHECK(core.cancelled());
  }

  TEST_CASE("what on_cancel holds is let go when the work has ended") {
    Core core;
    const auto held = std::make_shared<int>(1);
    core.on_cancel([held] {});
    core.set_result({});
    CHECK(held.use_count() == 1);
  }

  TEST_CASE("callbacks run in order, when it is done, in a thread of their own") {
    Core core;
    std::vector<int> order;
    std::thread::id where;
    core.add_done_callback([&] { order.push_back(1); });
    core.add_done_callback([&] {
      order.push_back(2);
      where = std::this_thread::get_id();
      CHECK(core.done());
    });
    std::thread worker([&] { core.set_result({}); });
    const auto worker_id = worker.get_id();
    worker.join();
    wait_for_callbacks();
    CHECK(order == std::vector{1, 2});
    CHECK(where != worker_id);
    CHECK(where != std::this_thread::get_id());
    core.add_done_callback([&] { where = std::this_thread::get_id(); });
    CHECK(where == std::this_thread::get_id());
  }

  TEST_CASE("a callback that throws is logged, and the next one runs") {
    std::vector<std::string> records;
    mp::set_log_sink([&](mp::Level, std::string_view message) { records.emplace_back(message); });
    Core core;
    bool called = false;
    core.add_done_callback([] { throw std::runtime_error("oh"); });
    core.add_done_callback([] { throw 1; });
    core.add_done_callback([&] { called = true; });
    core.set_result({});
    wait_for_callbacks();
    mp::set_log_sink({});
    CHECK(called);
    CHECK(records == std::vector<std::string>{"a future's callback threw: oh", "a future's callback threw"});
  }

  TEST_CASE("a callback may add another, and let go of the last owner") {
    auto core = std::make_shared<Core>();
    int calls = 0;
    core->add_done_callback([&] {
      core->add_done_callback([&] { ++calls; });
      core.reset();
      ++calls;
    });
    const auto kept_by_worker = core;
    kept_by_worker->set_result({});
    wait_for_callbacks();
    CHECK(calls == 2);
    CHECK(kept_by_worker.use_count() == 1);
  }

  TEST_CASE("many threads decide, cancel and wait: all see the same") {
    for (int round = 0; round < 100; ++round) {
      Core core;
      std::atomic<int> decisions = 0;
      std::atomic<int> calls = 0;
      core.add_done_callback([&] { ++calls; });
      std::vector<std::thread> threads;
      threads.emplace_back([&] { decisions += core.set_result(some_bytes(1)) ? 1 : 0; });
      threads.emplace_back([&] { decisions += core.cancel() ? 1 : 0; });
      threads.emplace_back([&] { core.add_done_callback([&] { ++calls; }); });
      threads.emplace_back([&] { CHECK(core.wait(mp::infinite, {})); });
      for (auto& thread : threads) thread.join();
      wait_for_callbacks();
      CHECK(decisions == 1);
      CHECK(calls == 2);
    }
  }

  TEST_CASE("a Future's copies name the same result, and its callback gets it") {
    const auto core = std::make_shared<Core>();
    mp::Future<int> future(core);
    const mp::Future<int> copy = future;
    bool called = false;
    future.add_done_callback([&](mp::Future<int> done) { called = done.cancelled(); });
    CHECK_FALSE(future.running());  // nobody was given the work yet
    core->set_running();
    CHECK(future.running());
    CHECK_THROWS_AS(future.result(1ms), mp::TimeoutError);
    CHECK(future.cancel());
    CHECK(copy.cancelled());
    CHECK(copy.done());
    CHECK_FALSE(copy.running());
    wait_for_callbacks();
    CHECK(called);
    CHECK_THROWS_AS(copy.result(), mp::CancelledError);
  }

  TEST_CASE("what was moved from refuses every member") {
    mp::Future<int> future(std::make_shared<Core>());
    mp::AsyncResult<int> result(std::make_shared<Core>());
    const auto other_future = std::move(future);
    const auto other_result = std::move(result);
    CHECK_FALSE(other_future.done());
    CHECK_FALSE(other_result.ready());
    const std::vector<std::function<void()>> members = {
        [&] { static_cast<void>(future.result()); },
        [&] { static_cast<void>(future.exception()); },
        [&] { static_cast<void>(future.done()); },
        [&] { static_cast<void>(future.running()); },
        [&] { static_cast<void>(future.cancel()); },
        [&] { static_cast<void>(future.cancelled()); },
        [&] { future.add_done_callback([](mp::Future<int>) {}); },
        [&] { mp::futures::wait(std::vector{future}); },
        [&] { static_cast<void>(mp::futures::as_completed(std::vector{future})); },
        [&] { static_cast<void>(result.get()); },
        [&] { static_cast<void>(result.wait()); },
        [&] { static_cast<void>(result.ready()); },
        [&] { static_cast<void>(result.successful()); },
        [&] { static_cast<void>(result.cancel()); },
        [&] { result.on_success([](int) {}); },
        [&] { result.on_error([](const std::exception_ptr&) {}); },
        [&] { static_cast<void>(result.via([](const std::function<void()>&) {})); },
        [&] { static_cast<void>(result.waitable()); },
    };
    for (std::size_t i = 0; i < members.size(); ++i) {
      INFO("member ", i);
      CHECK_THROWS_AS(members[i](), mp::ValueError);
    }
  }
}
