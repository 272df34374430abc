// What an imap does whose inputs are long in coming: whoever waits for an outcome is kept neither from one
// that is here, nor beyond his time, nor after a stop.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

namespace api_slow_sources {

namespace mp = multiprocessing;
using namespace std::chrono_literals;

int square(int x) { return x * x; }

/// Inputs each of which takes its time to come; counts them.
class Source {
 public:
  explicit Source(std::chrono::milliseconds each) : each_(each) {}
  [[nodiscard]] auto inputs() {
    return std::views::iota(0, last) | std::views::transform([this](int x) { return next(x); });
  }
  [[nodiscard]] int pulled() const { return pulled_; }

  static constexpr int last = 1000;

 private:
  int next(int x) {
    // Nobody notifies: that is how long an input takes.
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    const auto until = std::chrono::steady_clock::now() + each_;
    never.wait_until(lock, until, [&] { return std::chrono::steady_clock::now() >= until; });
    ++pulled_;
    return x;
  }

  const std::chrono::milliseconds each_;
  int pulled_ = 0;
};

/// More would be read ahead of a source that costs nothing; it takes a second to come to it.
constexpr int few = 100;

/// With workers that have begun already.
template <class Test>
void with_both_pools(Test test) {
  mp::Pool processes(2);
  REQUIRE(processes.apply(square, 3) == 9);
  test(processes);
  mp::ThreadPool threads(2);
  test(threads);
}

TEST_SUITE("api.slow_sources") {
  TEST_CASE("what is here is given, however long the next inputs take") {
    with_both_pools([](auto& pool) {
      Source source(10ms);
      auto results = pool.imap(square, source.inputs());
      for (int i = 0; i < 5; ++i) CHECK(results.next() == i * i);
      CHECK(source.pulled() < few);
    });
  }

  TEST_CASE("nobody is kept beyond his time, and nothing is lost") {
    with_both_pools([](auto& pool) {
      Source source(10ms);
      // No result comes before the first inputs have: each takes longer than the time.
      auto results = pool.imap([](int x) { return x; }, source.inputs());
      int next = 0;
      while (next < 5) try {
          const auto result = results.next(1ns);
          REQUIRE(result);
          CHECK(*result == next++);
        } catch (const mp::TimeoutError&) {
          // Its result is not there yet.
        }
      CHECK(source.pulled() < few);
    });
  }

  TEST_CASE("a stop that was requested ends the wait before another input") {
    with_both_pools([](auto& pool) {
      Source source(0ms);
      auto results = pool.imap(square, source.inputs());
      mp::StopSource stop;
      stop.request_stop();
      CHECK_THROWS_AS(results.next(mp::infinite, stop.token()), mp::CancelledError);
      CHECK(source.pulled() == 0);
      CHECK(results.next() == 0);
    });
  }

  TEST_CASE("after a stop of the tasks no more inputs are asked for") {
    mp::Pool pool(1);
    Source source(0ms);
    mp::StopSource stop;
    auto outcomes =
        pool.imap_outcomes(square, source.inputs(), {.ordered = true, .task = {.stop = stop.token()}});
    const auto first = outcomes.next();
    REQUIRE(first);
    CHECK(first->value() == 0);
    stop.request_stop();
    const int pulled = source.pulled();
    std::size_t failed = 0;
    while (const auto outcome = outcomes.next())
      if (!*outcome) {
        ++failed;
        CHECK_THROWS_AS(std::rethrow_exception(outcome->error()), mp::CancelledError);
      }
    CHECK(failed > 0);
    CHECK(source.pulled() == pulled);
  }

  TEST_CASE("a stop of tasks in threads: those that run end, no other begins") {
    mp::ThreadPool pool(1);
    Source source(0ms);
    mp::StopSource stop;
    auto outcomes =
        pool.imap_outcomes(square, source.inputs(), {.ordered = true, .task = {.stop = stop.token()}});
    REQUIRE(outcomes.next());
    stop.request_stop();
    const int pulled = source.pulled();
    int given = 1;
    CHECK_THROWS_AS(
        [&] {
          for (;; ++given) outcomes.next();
        }(),
        mp::CancelledError);
    CHECK(given <= pulled);
    CHECK(source.pulled() == pulled);
  }

  TEST_CASE(
      "shutdown with cancel_futures ends a map without end: what was begun is done, the rest cancelled") {
    mp::ProcessPoolExecutor executor(2);
    auto results = executor.map(square, std::views::iota(0));
    CHECK(results.next() == 0);
    executor.shutdown(true, true);
    int next = 1;
    bool cancelled = false;
    try {
      while (const auto result = results.next()) {
        CHECK(*result == next * next);
        ++next;
      }
    } catch (const mp::CancelledError&) {
      cancelled = true;
    }
    CHECK(cancelled);
    // What was handed out before is there; what was cancelled answers one by one.
    int refused = 1;
    for (;; ++refused) try {
        if (!results.next()) break;
        FAIL_CHECK("a result behind one that was cancelled");
      } catch (const mp::CancelledError&) {
      }
    CHECK(refused >= 1);
  }

  TEST_CASE("the least of all durations waits for nothing") {
    const mp::Duration least(std::chrono::hours::min());
    const mp::Duration minus_infinity(
        std::chrono::duration<double>(-std::numeric_limits<double>::infinity()));
    for (const auto none : {least, minus_infinity}) {
      CHECK(mp::detail::TimeLeft(none).remaining() <= mp::Duration(0s));
      mp::ThreadPool pool(1);
      std::mutex held;
      std::unique_lock lock(held);
      auto busy = pool.apply_async([&] { const std::lock_guard wait(held); });
      CHECK_THROWS_AS(busy.get(none), mp::TimeoutError);
      auto results = pool.imap(square, std::vector{1});
      CHECK_THROWS_AS(results.next(none), mp::TimeoutError);
      pool.close();
      CHECK_FALSE(pool.join(none));
      lock.unlock();
    }
    mp::ProcessPoolExecutor executor(1);
    const std::vector futures = {mp::Future<int>(std::make_shared<mp::detail::FutureCore>())};
    CHECK(mp::futures::wait(futures, least).not_done.size() == 1);
    CHECK_THROWS_AS(mp::futures::as_completed(futures, least).next(), mp::TimeoutError);
    CHECK_THROWS_AS(executor.map({.timeout = least}, square, std::vector{1}).next(), mp::TimeoutError);
  }
}

}  // namespace api_slow_sources
