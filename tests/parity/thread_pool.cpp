// What Python's own tests of pools demand of threads: it runs each of _TestPool for ThreadPool, too
// (WithThreadsTestPool). COVERAGE.md says which is which.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "test_support/leak_check.hpp"

namespace parity_thread_pool {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::eventually;
using mp::test_support::LeakCheck;

struct SayWhenError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

int sqr(int x) { return x * x; }
int mul(int x, int y) { return x * y; }
int to_int(const std::string& text) { return std::stoi(text); }
int throw_large(int) { throw std::invalid_argument(std::string(1024 * 1024, 'x')); }

std::vector<int> squares(int count) {
  std::vector<int> all;
  for (int i = 0; i < count; ++i) all.push_back(i * i);
  return all;
}

/// 0, 1, 2 … and SayWhenError at `when`; -1: at once.
auto throwing(int total, int when) {
  return std::views::iota(0, total) | std::views::transform([when](int x) {
           if (x == when || when == -1) throw SayWhenError("when");
           return x;
         });
}

bool refuses(mp::ThreadPool& pool) try {
  static_cast<void>(pool.apply_async([] {}));
  return false;
} catch (const mp::ValueError&) {
  return true;
}

TEST_SUITE("parity.thread_pool") {
  TEST_CASE_FIXTURE(LeakCheck, "test_apply, test_map, test_starmap, test_starmap_async, test_map_async") {
    mp::ThreadPool pool(4);
    CHECK(pool.apply(sqr, 5) == 25);
    CHECK(pool.map(sqr, std::views::iota(0, 10)) == squares(10));
    CHECK(pool.map(sqr, std::views::iota(0, 100), 20) == squares(100));
    std::vector<std::tuple<int, int>> tuples;
    std::vector<int> products;
    for (int i = 0; i < 100; ++i) {
      tuples.emplace_back(i, 99 - i);
      products.push_back(i * (99 - i));
    }
    CHECK(pool.starmap(mul, tuples) == products);
    CHECK(pool.starmap(mul, tuples, 20) == products);
    CHECK(pool.starmap_async(mul, tuples).get() == products);
    CHECK(pool.map_async(sqr, std::views::iota(0, 10)).get() == squares(10));
  }

  TEST_CASE("test_map_async_callbacks") {
    mp::ThreadPool pool(4);
    auto good = pool.map_async(to_int, std::vector<std::string>{"1"});
    auto bad = pool.map_async(to_int, std::vector<std::string>{"a"});
    good.wait();
    bad.wait();
    std::vector<int> result;
    std::exception_ptr error;
    const auto keep_result = [&](const std::vector<int>& all) { result = all; };
    const auto keep_error = [&](std::exception_ptr thrown) { error = std::move(thrown); };
    good.on_success(keep_result).on_error(keep_error);
    CHECK(result == std::vector{1});
    CHECK(error == nullptr);
    bad.on_success(keep_result).on_error(keep_error);
    CHECK(result == std::vector{1});
    CHECK_THROWS_AS(std::rethrow_exception(error), std::invalid_argument);
  }

  TEST_CASE("test_map_chunksize, test_empty_iterable") {
    mp::ThreadPool pool(1);
    const std::vector<int> none;
    CHECK(pool.map_async(sqr, none, 1).get(10s).empty());
    CHECK(pool.map(sqr, none).empty());
    CHECK_FALSE(pool.imap(sqr, none).next());
    CHECK_FALSE(pool.imap_unordered(sqr, none).next());
    pool.close();
    pool.join();
  }

  TEST_CASE("test_map_handle_iterable_exception") {
    mp::ThreadPool pool(2);
    // At once, in the middle, and again: the pool goes on.
    for (int i = 0; i < 2; ++i)
      CHECK_THROWS_AS(static_cast<void>(pool.map(sqr, throwing(1, -1), 1)), SayWhenError);
    for (int i = 0; i < 2; ++i)
      CHECK_THROWS_AS(static_cast<void>(pool.map(sqr, throwing(10, 3), 1)), SayWhenError);
    CHECK(pool.map(sqr, std::views::iota(0, 10)) == squares(10));
  }

  TEST_CASE("test_async, test_async_timeout") {
    std::promise<void> released;
    mp::ThreadPool pool(3);
    CHECK(pool.apply_async(sqr, 7).get() == 49);
    auto late = pool.apply_async([&] { released.get_future().wait(); });
    CHECK_THROWS_AS(late.get(50ms), mp::TimeoutError);
    released.set_value();
    late.get();
  }

  TEST_CASE("test_imap") {
    mp::ThreadPool pool(4);
    for (const int count : {10, 1000}) {
      auto results = pool.imap(sqr, std::views::iota(0, count));
      for (int i = 0; i < count; ++i) REQUIRE(results.next() == i * i);
      CHECK_FALSE(results.next());
    }
  }

  TEST_CASE("test_imap_handle_iterable_exception") {
    mp::ThreadPool pool(4);
    for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(pool.imap(sqr, throwing(1, -1)).next(), SayWhenError);
    for (const int when : {3, 7}) {
      auto results = pool.imap(sqr, throwing(20, when));
      for (int i = 0; i < when; ++i) CHECK(results.next() == i * i);
      CHECK_THROWS_AS(results.next(), SayWhenError);
      CHECK_FALSE(results.next());
    }
  }

  TEST_CASE("test_imap_unordered, test_imap_unordered_handle_iterable_exception") {
    mp::ThreadPool pool(4);
    for (const int count : {10, 1000}) {
      std::vector<int> results;
      for (const int x : pool.imap_unordered(sqr, std::views::iota(0, count))) results.push_back(x);
      std::ranges::sort(results);
      CHECK(results == squares(count));
    }
    CHECK_THROWS_AS(pool.imap_unordered(sqr, throwing(1, -1)).next(), SayWhenError);
    auto results = pool.imap_unordered(sqr, throwing(20, 7));
    std::set<int> expected;
    for (int i = 0; i < 7; ++i) expected.insert(i * i);
    int failures = 0;
    for (;;) try {
        const auto value = results.next();
        if (!value) break;
        CHECK(expected.erase(*value) == 1);
      } catch (const SayWhenError&) {
        ++failures;
      }
    CHECK(failures == 1);
    CHECK(expected.empty());
  }

  TEST_CASE("test_make_pool") {
    CHECK_THROWS_AS(mp::ThreadPool(-1), mp::ValueError);
    CHECK_THROWS_AS(mp::ThreadPool(0), mp::ValueError);
    mp::ThreadPool pool(3);
    CHECK(mp::active_children().empty());
    pool.close();
    pool.join();
  }

  TEST_CASE_FIXTURE(LeakCheck, "test_terminate") {
    std::atomic<int> begun = 0;
    std::promise<void> released;
    const auto release = released.get_future().share();
    mp::ThreadPool pool(3);
    const auto result = pool.map_async(
        [&](int) {
          ++begun;
          release.wait();
        },
        std::views::iota(0, 10'000), 1);
    auto terminating = std::async(std::launch::async, [&] { pool.terminate(); });
    CHECK(eventually([&] { return refuses(pool); }));
    released.set_value();  // what was not begun is refused; what runs is waited for
    terminating.get();
    pool.join();
    CHECK_THROWS_AS(result.get(), mp::CancelledError);
    CHECK(begun <= 3);
  }

  TEST_CASE_FIXTURE(LeakCheck, "test_context, test_enter") {
    mp::AsyncResult<std::vector<int>> result = [] {
      mp::ThreadPool scoped(2);
      auto squared = scoped.map_async(sqr, std::views::iota(0, 10));
      CHECK(squared.get() == squares(10));
      return squared;
    }();
    CHECK(result.get() == squares(10));
    mp::ThreadPool pool(2);
    pool.terminate();
    CHECK_THROWS_AS(static_cast<void>(pool.map_async(sqr, std::vector{1})), mp::ValueError);
    pool.join();
  }

  TEST_CASE("test_traceback, test_wrapped_exception") {
    mp::ThreadPool pool(1);
    try {
      pool.apply([] { throw std::runtime_error("123"); });
      FAIL("it throws");
    } catch (const std::runtime_error& error) {
      CHECK(std::string(error.what()) == "123");
      // It is the very exception: nothing was written down, and no report of a worker is nested in it.
      CHECK_NOTHROW(std::rethrow_if_nested(error));
    }
  }

  TEST_CASE("test_map_no_failfast") {
    std::atomic<bool> late = false;
    std::promise<void> told;
    mp::ThreadPool pool(2);
    auto failing = pool.map_async(
        [&](int x) {
          if (x == 0) throw_large(x);
          told.get_future().wait();
          late = true;
          return x;
        },
        std::vector{0, 1}, 1);
    CHECK_FALSE(failing.wait(10ms));  // not before the last is done
    told.set_value();
    CHECK_THROWS_AS(failing.get(), std::invalid_argument);
    CHECK(late);
    pool.close();
    pool.join();
  }

  TEST_CASE("test_release_task_refs") {
    mp::ThreadPool pool(2);
    std::vector<std::shared_ptr<int>> objects;
    for (int i = 0; i < 10; ++i) objects.push_back(std::make_shared<int>(i));
    static_cast<void>(pool.map([](const std::shared_ptr<int>& object) { return *object; }, objects));
    pool.close();
    pool.join();
    for (const auto& object : objects) CHECK(object.use_count() == 1);
  }
}

}  // namespace parity_thread_pool
