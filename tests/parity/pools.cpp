// ctest: timeout=300
// What Python's own tests of pools and executors demand, test by test: COVERAGE.md says which is which.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <chrono>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace parity_pools {

namespace mp = multiprocessing;
using namespace std::chrono_literals;

struct SayWhenError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct Unwritable {
  template <class Archive>
  void save(Archive&) const {
    throw std::runtime_error("cannot be written");
  }
  template <class Archive>
  void load(Archive&) {}
};

int sqr(int x) { return x * x; }
int mul(int x, int y) { return x * y; }
int to_int(std::string text) { return std::stoi(text); }
int of_unwritable(Unwritable) { return 0; }
Unwritable unwritable_result(int) { return {}; }
void hang(int) { mp::connection::wait({mp::parent_process()->sentinel()}); }
int after_a_while(int x) {
  mp::connection::wait({mp::parent_process()->sentinel()}, 50ms);
  return sqr(x);
}
int throw_large(int) { throw std::invalid_argument(std::string(1024 * 1024, 'x')); }
void throw_here() { throw std::runtime_error("123"); }

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

TEST_SUITE("parity.pools") {
  TEST_CASE("test_apply, test_map, test_starmap, test_starmap_async, test_map_async") {
    mp::Pool pool(4);
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

  TEST_CASE("test_map_async_callbacks, test_async_error_callback") {
    mp::Pool pool(4);
    auto good = pool.map_async(to_int, std::vector<std::string>{"1"});
    auto bad = pool.map_async(to_int, std::vector<std::string>{"a"});
    good.wait();
    bad.wait();
    std::vector<int> result;
    std::exception_ptr error;
    good.on_success([&](const std::vector<int>& all) { result = all; }).on_error([&](std::exception_ptr e) {
      error = e;
    });
    CHECK(result == std::vector{1});
    CHECK(error == nullptr);
    bad.on_success([&](const std::vector<int>& all) { result = all; }).on_error([&](std::exception_ptr e) {
      error = e;
    });
    CHECK(result == std::vector{1});
    CHECK_THROWS_AS(std::rethrow_exception(error), std::invalid_argument);
  }

  TEST_CASE("test_map_unplicklable, test_unpickleable_result") {
    mp::Pool pool(2);
    CHECK_THROWS_AS(static_cast<void>(pool.map(of_unwritable, std::vector<Unwritable>(10))),
                    mp::SerializationError);
    // Neither stops the pool, however often.
    for (int i = 0; i < 20; ++i)
      CHECK_THROWS_AS(static_cast<void>(pool.apply(unwritable_result, 1)), mp::SerializationError);
    CHECK(pool.apply(sqr, 2) == 4);
  }

  TEST_CASE("test_map_chunksize, test_empty_iterable") {
    mp::Pool pool(1);
    const std::vector<int> none;
    CHECK(pool.map_async(sqr, none, 1).get(10s).empty());
    CHECK(pool.map(sqr, none).empty());
    CHECK_FALSE(pool.imap(sqr, none).next());
    CHECK_FALSE(pool.imap_unordered(sqr, none).next());
    pool.close();
    pool.join();
  }

  TEST_CASE("test_map_handle_iterable_exception") {
    mp::Pool pool(2);
    for (int i = 0; i < 2; ++i)
      CHECK_THROWS_AS(static_cast<void>(pool.map(sqr, throwing(1, -1), 1)), SayWhenError);
    CHECK_THROWS_AS(static_cast<void>(pool.map(sqr, throwing(10, 3), 1)), SayWhenError);
  }

  TEST_CASE("test_async, test_async_timeout") {
    mp::Pool pool(3);
    CHECK(pool.apply_async(after_a_while, 7).get() == 49);
    CHECK_THROWS_AS(pool.apply_async(hang, 6).get(50ms), mp::TimeoutError);
    pool.terminate();
    pool.join();
  }

  TEST_CASE("test_imap") {
    mp::Pool pool(4);
    for (const std::size_t chunksize : {1U, 100U}) {
      auto results = pool.imap(sqr, std::views::iota(0, 1000), chunksize);
      for (int i = 0; i < 1000; ++i) REQUIRE(results.next() == i * i);
      CHECK_FALSE(results.next());
    }
  }

  TEST_CASE("test_imap_handle_iterable_exception") {
    mp::Pool pool(4);
    for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(pool.imap(sqr, throwing(1, -1)).next(), SayWhenError);
    for (const std::size_t chunksize : {1U, 2U, 4U}) {
      auto results = pool.imap(sqr, throwing(20, 7), chunksize);
      for (int i = 0; i < 7; ++i) CHECK(results.next() == i * i);
      CHECK_THROWS_AS(results.next(), SayWhenError);
      CHECK_FALSE(results.next());
    }
  }

  TEST_CASE("test_imap_unordered, test_imap_unordered_handle_iterable_exception") {
    mp::Pool pool(4);
    for (const std::size_t chunksize : {1U, 100U}) {
      std::vector<int> results;
      for (const int x : pool.imap_unordered(sqr, std::views::iota(0, 1000), chunksize)) results.push_back(x);
      std::ranges::sort(results);
      CHECK(results == squares(1000));
    }
    CHECK_THROWS_AS(pool.imap_unordered(sqr, throwing(1, -1)).next(), SayWhenError);
    auto results = pool.imap_unordered(sqr, throwing(20, 7), 2);
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

  TEST_CASE("test_make_pool, test_pool_maxtasksperchild_invalid") {
    CHECK_THROWS_AS(mp::Pool(-1), mp::ValueError);
    CHECK_THROWS_AS(mp::Pool(0), mp::ValueError);
    CHECK_THROWS_AS(mp::Pool(1, {.maxtasksperchild = 0}), mp::ValueError);
    mp::Pool pool(3);
    CHECK(pool.processes() == 3);
    CHECK(mp::active_children().size() == 3);
    pool.close();
    pool.join();
  }

  TEST_CASE("test_terminate, test_context, test_enter") {
    mp::Pool pool(3);
    const auto result = pool.map_async(hang, std::views::iota(0, 10'000), 1);
    pool.terminate();
    pool.join();
    CHECK_THROWS_AS(result.get(), mp::CancelledError);
    CHECK_THROWS_AS(static_cast<void>(pool.map_async(sqr, std::vector{1})), mp::ValueError);
    {
      mp::Pool scoped(2);
      CHECK(scoped.map_async(sqr, std::views::iota(0, 10)).get() == squares(10));
    }
    CHECK(mp::active_children().empty());
  }

  TEST_CASE("test_traceback, test_wrapped_exception") {
    mp::Pool pool(1);
    try {
      pool.apply(throw_here);
      FAIL("it throws");
    } catch (const std::runtime_error& error) {
      CHECK(std::string(error.what()) == "123");
      // The worker's stack is nested in it, where the system knows it.
      try {
        std::rethrow_if_nested(error);
      } catch (const mp::RemoteError& remote) {
        CHECK(std::string(remote.what()).find("123") != std::string::npos);
      }
    }
  }

  TEST_CASE("test_map_no_failfast") {
    mp::Pool pool(2);
    CHECK_THROWS_AS(static_cast<void>(pool.map(throw_large, std::vector{0, 1})), std::invalid_argument);
    pool.close();
    pool.join();
  }

  TEST_CASE("test_pool_worker_lifetime, test_pool_worker_lifetime_early_close") {
    for (const bool early : {false, true}) {
      mp::Pool pool(3, {.maxtasksperchild = 10});
      std::set<int> before, after;
      for (auto& child : mp::active_children()) before.insert(*child.pid());
      std::vector<mp::AsyncResult<int>> results;
      for (int i = 0; i < 100; ++i) results.push_back(pool.apply_async(sqr, i));
      if (early) pool.close();
      for (int i = 0; i < 100; ++i) CHECK(results[static_cast<std::size_t>(i)].get() == sqr(i));
      if (early) {
        pool.join();
        continue;
      }
      for (auto& child : mp::active_children()) after.insert(*child.pid());
      CHECK(before.size() == 3);
      CHECK(before != after);
      pool.close();
      pool.join();
    }
  }

  // test_concurrent_futures

  TEST_CASE("executors: test_submit, test_map, test_map_exception, test_map_timeout, test_shutdown") {
    mp::ProcessPoolExecutor executor(2);
    CHECK(executor.submit(mul, 2, 8).result() == 16);
    std::vector<int> mapped;
    for (const int x : executor.map(sqr, std::views::iota(0, 10))) mapped.push_back(x);
    CHECK(mapped == squares(10));
    auto failing = executor.map(to_int, std::vector<std::string>{"5", "5", "x", "5"});
    CHECK(failing.next() == 5);
    CHECK(failing.next() == 5);
    CHECK_THROWS_AS(failing.next(), std::invalid_argument);
    auto blocked = std::vector{executor.submit(hang, 0), executor.submit(hang, 0)};
    auto late = executor.map(mp::MapOptions{.timeout = 20ms}, sqr, std::vector{1});
    CHECK_THROWS_AS(late.next(), mp::TimeoutError);
    for (auto& each : blocked) each.cancel();
    executor.shutdown();
    CHECK_THROWS_AS(executor.submit(sqr, 1), mp::RuntimeError);
  }

  TEST_CASE(
      "waiters: test_first_completed, test_first_exception, test_all_completed, test_timeout, "
      "test_duplicate_futures") {
    mp::ProcessPoolExecutor executor(2);
    auto slow = executor.submit(hang, 0);
    auto quick = executor.submit([] {});
    auto first =
        mp::futures::wait(std::vector{slow, quick}, mp::infinite, mp::futures::ReturnWhen::first_completed);
    CHECK(first.done.size() == 1);
    CHECK(first.not_done.size() == 1);
    auto failing = executor.submit(throw_here);
    CHECK(
        mp::futures::wait(std::vector{slow, failing}, mp::infinite, mp::futures::ReturnWhen::first_exception)
            .done.size() == 1);
    CHECK(mp::futures::wait(std::vector{slow}, 20ms).not_done.size() == 1);
    slow.cancel();
    CHECK(mp::futures::wait(std::vector{slow, quick, failing}).not_done.empty());
    int seen = 0;
    for (auto& future : mp::futures::as_completed(std::vector{quick, quick})) seen += future.done() ? 1 : 0;
    CHECK(seen == 1);
  }
}

}  // namespace parity_pools
