// call, call_async, run_with_timeout: one function call in a process of its own.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <vector>

#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace api_calls {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::LeakCheck;
using mp::test_support::with_each_start_method;

int square(int x) { return x * x; }
void hang() { mp::connection::wait({mp::parent_process()->sentinel()}); }
int hang_with_result() {
  hang();
  return 1;
}
int leave() { mp::exit(3); }
void fail() { throw std::range_error("out of it"); }

TEST_SUITE("api.calls") {
  TEST_CASE_FIXTURE(LeakCheck, "a call returns its result") {
    with_each_start_method([](mp::Context& context) { CHECK(context.call(square, 7) == 49); });
  }

  TEST_CASE("a call whose process leaves without a result") {
    with_each_start_method([](mp::Context& context) {
      try {
        context.call(leave);
        FAIL("there is no result");
      } catch (const mp::ProcessExitedException& exited) {
        CHECK(exited.exit_code() == 3);
      }
    });
  }

  TEST_CASE("a call can be given up; its process is stopped") {
    mp::StopSource source;
    source.request_stop();
    CHECK_THROWS_AS(mp::call(mp::CallOptions{.stop = source.token()}, hang), mp::CancelledError);
    CHECK(mp::active_children().empty());
  }

  TEST_CASE("many calls at once, without waiting for each") {
    with_each_start_method([](mp::Context& context) {
      std::vector<mp::Future<int>> futures;
      for (int i = 0; i < 8; ++i) futures.push_back(context.call_async(square, i));
      for (int i = 0; i < 8; ++i) CHECK(futures[static_cast<std::size_t>(i)].result() == i * i);
      CHECK(futures[0].done());
      CHECK_FALSE(futures[0].running());
      CHECK(futures[0].exception() == nullptr);
      CHECK(futures[3].result() == 9);
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "an asynchronous call that throws, leaves or is cancelled") {
    with_each_start_method([](mp::Context& context) {
      auto failed = context.call_async(fail);
      CHECK_THROWS_AS(failed.result(), std::range_error);
      CHECK(failed.exception() != nullptr);
      CHECK_THROWS_AS(context.call_async(leave).result(), mp::ProcessExitedException);
      auto hanging = context.call_async(hang);
      CHECK(hanging.running());
      CHECK_FALSE(hanging.done());
      CHECK_THROWS_AS(hanging.result(1ms), mp::TimeoutError);
      CHECK(hanging.cancel());
      CHECK(hanging.cancelled());
      CHECK(hanging.cancel());
      CHECK_THROWS_AS(hanging.result(), mp::CancelledError);
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "an asynchronous call is cancelled by its token") {
    mp::StopSource source;
    auto future = mp::call_async(mp::CallOptions{.stop = source.token()}, hang);
    source.request_stop();
    CHECK_THROWS_AS(future.result(), mp::CancelledError);
  }

  TEST_CASE("callbacks of a future are called once, early or late") {
    std::atomic<int> called{0};
    auto future = mp::call_async(square, 4);
    future.add_done_callback([&](mp::Future<int> done) { called += done.result(); });
    CHECK(future.result() == 16);
    CHECK(mp::test_support::eventually([&] { return called == 16; }));
    future.add_done_callback([&](mp::Future<int>) { ++called; });
    CHECK(called == 17);
  }

  TEST_CASE_FIXTURE(LeakCheck, "run_with_timeout returns in time, or stops the process") {
    with_each_start_method([](mp::Context& context) {
      CHECK(context.run_with_timeout(60s, square, 3) == 9);
      CHECK_THROWS_AS(context.run_with_timeout(10ms, hang_with_result), mp::TimeoutError);
      CHECK_THROWS_AS(context.run_with_timeout(60s, fail), std::range_error);
      CHECK(mp::active_children().empty());
    });
    CHECK(mp::run_with_timeout(60s, square, 5) == 25);
    CHECK_THROWS_AS(mp::run_with_timeout(0s, hang), mp::TimeoutError);
  }
}

}  // namespace api_calls
