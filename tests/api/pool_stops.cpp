// StopTokens of pools, threads and executors: whoever waits can give up waiting.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace api_pool_stops {

namespace mp = multiprocessing;
using namespace std::chrono_literals;

int square(int x) { return x * x; }
/// Until its worker is stopped.
int hang(int) { return mp::Pipe().first.recv<int>(); }

mp::Connection* line = nullptr;  // of a worker
void keep_line(mp::Connection end) { line = new mp::Connection(std::move(end)); }
void wait_until_told() { static_cast<void>(line->recv<bool>()); }

mp::StopToken stopped() {
  mp::StopSource source;
  source.request_stop();
  return source.token();
}

/// Keeps a task of a thread until it goes.
class Held {
 public:
  Held() : lock_(mutex_) {}
  void wait() { const std::lock_guard until_released(mutex_); }
  void release() { lock_.unlock(); }

 private:
  std::mutex mutex_;
  std::unique_lock<std::mutex> lock_;
};

TEST_SUITE("api.pool_stops") {
  TEST_CASE("a wait for a result may be given up; nothing is lost") {
    auto [ours, theirs] = mp::Pipe();
    mp::Pool pool(1, {.initializer = {keep_line, theirs}});
    mp::StopSource stop;
    stop.request_stop();
    auto slow = pool.apply_async(wait_until_told);
    CHECK_THROWS_AS(slow.get(0s), mp::TimeoutError);
    CHECK_THROWS_AS(slow.get(mp::infinite, stop.token()), mp::CancelledError);
    CHECK_FALSE(slow.wait(0s));
    CHECK_THROWS_AS(static_cast<void>(slow.successful()), mp::ValueError);
    auto results = pool.imap(square, std::vector{0, 1, 2});  // behind the slow one
    CHECK_THROWS_AS(results.next(mp::infinite, stop.token()), mp::CancelledError);
    ours.send(true);
    slow.get();
    for (int i = 0; i < 3; ++i) CHECK(results.next() == i * i);
  }

  TEST_CASE("terminate: the workers are stopped although nobody waits for them") {
    mp::Pool pool(2);
    auto hanging = pool.apply_async(hang, 1);
    try {
      pool.terminate(stopped());
    } catch (const mp::CancelledError&) {
      // Unless they had ended already.
    }
    CHECK_THROWS_AS(hanging.get(), mp::CancelledError);
    pool.join();
  }

  TEST_CASE("terminate of threads") {
    mp::ThreadPool pool(1);
    Held held;
    std::promise<void> begun;  // no atomic: under wine its notification got lost
    auto busy = pool.apply_async([&] {
      begun.set_value();
      held.wait();
    });
    begun.get_future().wait();
    CHECK_THROWS_AS(pool.terminate(stopped()), mp::CancelledError);
    held.release();
    pool.terminate();
    busy.get();
  }

  TEST_CASE("shutdown: the executor takes nothing more, and what was begun goes on") {
    mp::ProcessPoolExecutor executor(1);
    auto [here, there] = mp::Pipe();
    auto waiting = executor.submit(hang, 1);
    CHECK_THROWS_AS(executor.shutdown(true, false, stopped()), mp::CancelledError);
    CHECK_THROWS_AS(executor.submit(square, 1), mp::RuntimeError);
    waiting.cancel();
    executor.shutdown();
  }

  TEST_CASE("as_completed and map") {
    mp::ProcessPoolExecutor executor(1);
    auto waiting = executor.submit(hang, 1);
    auto completed = mp::futures::as_completed(std::vector{waiting}, mp::infinite, stopped());
    CHECK_THROWS_AS(completed.next(), mp::CancelledError);
    CHECK_THROWS_AS(*completed.begin(), mp::CancelledError);
    waiting.cancel();
    mp::StopSource stop;
    auto results = executor.map({.stop = stop.token()}, hang, std::vector{1, 2});
    stop.request_stop();
    CHECK_THROWS_AS(results.next(), mp::CancelledError);
    CHECK(executor.submit(square, 3).result() == 9);
  }

  TEST_CASE("tasks of threads: whoever waits is free, what was not begun is not run") {
    mp::ThreadPool pool(1);
    Held held;
    mp::StopSource stop;
    const mp::TaskOptions options{.stop = stop.token()};
    std::promise<void> begun;  // no atomic: under wine its notification got lost
    std::atomic<int> runs = 0;
    auto busy = pool.apply_async(options, [&] {
      begun.set_value();
      held.wait();
    });
    auto list = pool.map_async(
        options, [&](int) { return ++runs; }, std::vector{1, 2, 3});
    auto pairs = pool.starmap_async(
        options, [&](int, int) { return ++runs; }, std::vector<std::pair<int, int>>{{1, 2}});
    begun.get_future().wait();
    stop.request_stop();
    CHECK_THROWS_AS(busy.get(), mp::CancelledError);
    CHECK_THROWS_AS(list.get(), mp::CancelledError);
    CHECK_THROWS_AS(pairs.get(), mp::CancelledError);
    held.release();
    CHECK_THROWS_AS(pool.apply(options, square, 1), mp::CancelledError);
    CHECK_THROWS_AS(pool.map(options, square, std::vector{1}), mp::CancelledError);
    CHECK(pool.apply(square, 4) == 16);
    CHECK(runs == 0);
  }

  TEST_CASE("what a thread cannot do is refused") {
    mp::ThreadPool pool(1);
    const mp::TaskOptions timed{.timeout = 1s};
    const mp::TaskOptions retried{.retries = 1};
    for (const auto& options : {timed, retried}) {
      CHECK_THROWS_AS(pool.apply(options, square, 1), mp::ValueError);
      CHECK_THROWS_AS(pool.map(options, square, std::vector{1}), mp::ValueError);
      CHECK_THROWS_AS(pool.imap_outcomes(square, std::vector{1}, {.task = options}), mp::ValueError);
    }
    using Function = int (*)(int);
    const auto nothing = static_cast<Function>(nullptr);
    CHECK_THROWS_AS(pool.apply(nothing, 1), mp::ValueError);
    CHECK_THROWS_AS(pool.map(nothing, std::vector{1}), mp::ValueError);
    CHECK_THROWS_AS(pool.imap(nothing, std::vector{1}), mp::ValueError);
    CHECK(pool.apply(square, 2) == 4);
  }
}

}  // namespace api_pool_stops
