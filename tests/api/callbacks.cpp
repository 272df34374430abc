// Callbacks of results, and who waits for them: the end of the program, join() and shutdown().
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <future>
#include <iostream>
#include <string>
#include <vector>

#include "test_support/start_methods.hpp"

namespace api_callbacks {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::with_each_start_method;

int square(int x) { return x * x; }
/// Ended by nobody before its time: it is long for whoever does not wait.
void take_a_while() { mp::connection::wait({mp::parent_process()->sentinel()}, 30ms); }
int slow_square(int x) {
  take_a_while();
  return x * x;
}

/// Ends while the call runs.
void leave_with_a_call() {
  auto future = mp::call_async(slow_square, 7);
  future.add_done_callback([](const mp::Future<int>& done) { std::cout << "call " << done.result(); });
}

/// Ends while the callback runs or waits.
void leave_with_an_executor() {
  mp::ProcessPoolExecutor executor(1);
  auto future = executor.submit(square, 8);
  future.add_done_callback([](const mp::Future<int>& done) {
    take_a_while();
    std::cout << "task " << done.result();
  });
}

/// A callback that ends the program does not wait for itself.
void leave_in_a_callback() {
  auto [here, there] = mp::Pipe();
  auto future = mp::call_async(square, 7);
  future.add_done_callback([](const mp::Future<int>&) { mp::exit(5); });
  static_cast<void>(here.poll(mp::infinite));
}

void leave_with_a_thread() {
  mp::ThreadPool pool(1);
  auto result = pool.apply_async(square, 9);
  result.on_success([](int x) {
    take_a_while();
    std::cout << "thread " << x;
  });
  result.get();
}

/// Until the stop is requested, or for `time`.
void until(const mp::StopToken& stop, mp::Duration time = mp::infinite) {
  const auto [here, there] = mp::Pipe();
  try {
    static_cast<void>(here.poll(time, stop));
  } catch (const mp::CancelledError&) {
  }
}
void take_a_moment() { until({}, 5ms); }

/// Two callbacks that never return, of an executor that is not destroyed and of a call.
void leave_with_stuck_callbacks() {
  static auto* const executor = new mp::ProcessPoolExecutor(1);
  auto task = executor->submit(square, 2);
  task.add_done_callback([](const mp::Future<int>&) { until({}); });
  auto call = mp::call_async(square, 3);
  call.add_done_callback([](const mp::Future<int>&) { until({}); });
  static_cast<void>(task.result() + call.result());
}

std::string output_of(mp::Context& context, void (*target)()) {
  mp::Process child = context.Process({.standard_output = mp::Stdio::pipe}, target);
  child.start();
  const auto bytes = child.standard_output().read_all();
  child.join();
  CHECK(child.exitcode() == 0);
  std::string text;
  for (const std::byte byte : bytes) text += static_cast<char>(byte);
  return text;
}

TEST_SUITE("api.callbacks") {
  TEST_CASE("a program that ends waits for its calls, and for what their callbacks do") {
    with_each_start_method([](mp::Context& context) {
      for (int i = 0; i < 3; ++i) {
        CHECK(output_of(context, leave_with_a_call) == "call 49");
        CHECK(output_of(context, leave_with_an_executor) == "task 64");
        CHECK(output_of(context, leave_with_a_thread) == "thread 81");
      }
    });
  }

  TEST_CASE("a callback may end the program") {
    with_each_start_method([](mp::Context& context) {
      mp::Process child = context.Process(leave_in_a_callback);
      child.start();
      child.join();
      CHECK(child.exitcode() == 5);
    });
  }

  TEST_CASE("a callback that never returns does not keep the program") {
    mp::Process child(leave_with_stuck_callbacks);
    child.start();
    child.join();
    CHECK(child.exitcode() == 0);
  }

  TEST_CASE("after join() callbacks have returned") {
    mp::Pool pool(2);
    std::atomic<int> called = 0;
    std::vector<mp::AsyncResult<int>> results;
    for (int i = 0; i < 10; ++i) results.push_back(pool.apply_async(square, i));
    for (auto& result : results)
      result.on_success([&](int) {
        take_a_moment();
        ++called;
      });
    pool.close();
    pool.join();
    CHECK(called == 10);
  }

  TEST_CASE("after shutdown(), and after join() of threads") {
    std::atomic<int> called = 0;
    {
      mp::ProcessPoolExecutor executor(1);
      auto future = executor.submit(square, 3);
      future.add_done_callback([&](const mp::Future<int>&) {
        take_a_moment();
        ++called;
      });
      executor.shutdown();
      CHECK(called == 1);
    }
    mp::ThreadPool threads(1);
    auto result = threads.apply_async(square, 3);
    result.on_success([&](int) {
      take_a_moment();
      ++called;
    });
    threads.close();
    threads.join();
    CHECK(called == 2);
  }

  TEST_CASE("join() waits for callbacks of its own pool's results, and for no others") {
    mp::StopSource release;
    mp::ThreadPool blocked(1);
    std::promise<void> begun;  // no atomic: under wine its notification got lost
    auto result = blocked.apply_async([&] { begun.get_future().wait(); });
    result.on_success([&] { until(release.token()); });
    begun.set_value();
    result.get();
    mp::Pool pool(1);
    CHECK(pool.apply(square, 4) == 16);
    pool.close();
    CHECK(pool.join(20s));
    mp::ThreadPool threads(1);
    CHECK(threads.apply(square, 5) == 25);
    threads.close();
    CHECK(threads.join(20s));
    release.request_stop();
    blocked.close();
    CHECK(blocked.join(20s));
  }

  TEST_CASE("who does not want to wait for callbacks does not have to") {
    mp::ThreadPool threads(1);
    mp::StopSource release;
    std::promise<void> begun;  // no atomic: under wine its notification got lost
    auto result = threads.apply_async(square, 3);
    result.get();
    auto late = threads.apply_async([&] { begun.get_future().wait(); });
    late.on_success([&] { until(release.token()); });
    begun.set_value();
    late.get();
    threads.close();
    CHECK_FALSE(threads.join(20ms));
    mp::StopSource stop;
    stop.request_stop();
    CHECK_THROWS_AS(threads.join(stop.token()), mp::CancelledError);
    release.request_stop();
    threads.join();
  }

  TEST_CASE("a callback may join its pool") {
    mp::Pool pool(1);
    std::atomic<bool> joined = false;
    auto result = pool.apply_async(square, 3);
    pool.close();
    result.on_success([&](int) {
      pool.join();
      joined = true;
      joined.notify_all();
    });
    result.get();
    joined.wait(false);
    CHECK(joined);
  }
}

}  // namespace api_callbacks
