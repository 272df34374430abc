// ThreadPool: the interface of Pool in threads of this process.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "test_support/leak_check.hpp"

namespace api_thread_pools {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::LeakCheck;

int odd_only(int x) {
  if (x % 2 == 0) throw std::out_of_range("even");
  return x;
}

TEST_SUITE("api.thread_pools") {
  TEST_CASE_FIXTURE(LeakCheck, "functions with captures, in threads of this process") {
    mp::ThreadPool pool(2);
    std::atomic<int> calls = 0;
    CHECK(pool.apply([&](int x) { return ++calls, x * x; }, 7) == 49);
    CHECK(calls == 1);
    CHECK(pool.apply([] { return std::this_thread::get_id(); }) != std::this_thread::get_id());
    CHECK(*pool.apply([](std::unique_ptr<int> x) { return x; }, std::make_unique<int>(3)) == 3);
    pool.apply([&] { ++calls; });
    CHECK(calls == 2);
    CHECK_THROWS_AS(pool.apply(odd_only, 2), std::out_of_range);
    auto result = pool.apply_async([](std::string text) { return text + "!"; }, "hello");
    CHECK(result.get() == "hello!");
    CHECK(result.get() == "hello!");
    CHECK(result.successful());
    pool.close();
    pool.join();
  }

  TEST_CASE("the tasks of a chunk are one thread's, one after the other") {
    mp::ThreadPool pool(3);
    const auto where = [](int x) { return std::pair(x, std::this_thread::get_id()); };
    const auto done = pool.map(where, std::views::iota(0, 10), 4);
    REQUIRE(done.size() == 10);
    for (std::size_t i = 0; i < done.size(); ++i) {
      CHECK(done[i].first == static_cast<int>(i));
      CHECK(done[i].second == done[i / 4 * 4].second);
    }
    CHECK(pool.starmap([](int a, int b) { return a * b; },
                       std::vector<std::pair<int, int>>{{2, 3}, {4, 5}, {6, 7}},
                       2) == std::vector{6, 20, 42});
    int runs = 0;
    CHECK_THROWS_AS(pool.map(
                        [&runs](int x) {
                          ++runs;
                          return odd_only(x);
                        },
                        std::vector{1, 2, 3}, 100),
                    std::out_of_range);
    CHECK(runs == 3);
    CHECK(pool.map([](bool x) { return !x; }, std::vector<bool>{true, false, true}, 2) ==
          std::vector<bool>{false, true, false});
    const auto pointers =
        std::views::iota(1, 4) | std::views::transform([](int x) { return std::make_unique<int>(x); });
    CHECK(pool.map([](std::unique_ptr<int> x) { return *x; }, pointers, 2) == std::vector{1, 2, 3});
    CHECK_THROWS_AS(pool.map(where, std::vector{1}, 0), mp::ValueError);
    pool.terminate();
    CHECK_THROWS_AS(pool.map(where, std::vector{1}, 2), mp::ValueError);
  }

  TEST_CASE("an initializer with arguments") {
    std::atomic<int> sum = 0;
    {
      mp::ThreadPool pool(3, {.initializer = {[](std::atomic<int>& total, int a, const std::string& b) {
                                                total += a + static_cast<int>(b.size());
                                              },
                                              std::ref(sum), 10, "abc"}});
      pool.close();
      CHECK(pool.join(1h));
    }
    CHECK(sum == 39);
    mp::ThreadPool none(1, {.initializer = std::function<void()>()});
    CHECK(none.apply([] { return 1; }) == 1);
    void (*const no_function)() = nullptr;
    for (const mp::ThreadInitializer& empty :
         {mp::ThreadInitializer(no_function), mp::ThreadInitializer(nullptr),
          mp::ThreadInitializer(std::function<int()>())}) {
      CHECK_FALSE(empty);
      mp::ThreadPool without(1, {.initializer = empty});
      CHECK(without.apply([] { return 2; }) == 2);
    }
    mp::ThreadPool failing(1, {.initializer = {odd_only, 2}});
    CHECK_THROWS_AS(failing.apply([] { return 1; }), std::out_of_range);
  }

  TEST_CASE("join gives up when its time is over or a stop is requested, and goes on the next time") {
    mp::ThreadPool pool(1);
    std::promise<void> go;
    const auto waits = pool.apply_async([&go] { go.get_future().wait(); });
    auto endless = pool.imap([](int x) { return x; }, std::views::iota(0));
    pool.close();
    CHECK_FALSE(pool.join(1ms));
    mp::StopSource stop;
    stop.request_stop();
    CHECK_THROWS_AS(pool.join(1h, stop.token()), mp::CancelledError);
    CHECK_THROWS_AS(pool.join(stop.token()), mp::CancelledError);
    { const auto dropped = std::move(endless); }
    CHECK_FALSE(pool.join(0s));
    go.set_value();
    CHECK(pool.join(1h));
    waits.get();
  }

  TEST_CASE("join after terminate comes to its end beside a range without one") {
    mp::ThreadPool pool(2);
    auto endless = pool.imap([](int x) { return x; }, std::views::iota(0));
    CHECK(endless.next() == 0);
    pool.terminate();
    CHECK(pool.join(60s));
  }

  TEST_CASE("terminate ends a join that feeds a range without an end") {
    mp::ThreadPool pool(1);
    std::promise<void> fed;
    auto endless = pool.imap([](int x) { return x; }, std::views::iota(0) | std::views::transform([&](int x) {
                                                        if (x == 1000) fed.set_value();
                                                        return x;
                                                      }));
    pool.close();
    std::thread ender([&] {
      fed.get_future().wait();
      pool.terminate();
    });
    CHECK(pool.join(1h));
    ender.join();
  }

  TEST_CASE("join without patience comes to an end beside a range that was used up") {
    mp::ThreadPool pool(1);
    auto used = pool.imap([](int x) { return x; }, std::views::iota(0, 3));
    int sum = 0;
    for (const int x : used) sum += x;
    CHECK(sum == 3);
    pool.close();
    while (!pool.join(0s)) std::this_thread::yield();
  }

  TEST_CASE("map, starmap, imap, outcomes") {
    mp::ThreadPool pool(3);
    int offset = 10;
    const auto add = [&offset](int x) { return x + offset; };
    CHECK(pool.map(add, std::vector{1, 2, 3}) == std::vector{11, 12, 13});
    CHECK(pool.map(add, std::vector<int>{}).empty());
    pool.map([](int) {}, std::views::iota(0, 5));
    CHECK(pool.starmap([](int a, int b) { return a * b; },
                       std::vector<std::pair<int, int>>{{2, 3}, {4, 5}}) == std::vector{6, 20});
    CHECK_THROWS_AS(pool.map(odd_only, std::vector{1, 2}), std::out_of_range);
    std::vector<int> ordered;
    for (const int x : pool.imap(add, std::views::iota(0, 50))) ordered.push_back(x);
    CHECK(ordered.size() == 50);
    CHECK(std::ranges::is_sorted(ordered));
    std::set<int> any;
    for (const int x : pool.imap_unordered(add, std::views::iota(0, 50))) any.insert(x);
    CHECK(any.size() == 50);
    int failed = 0;
    for (auto& outcome : pool.imap_outcomes(odd_only, std::views::iota(0, 10)))
      if (!outcome) ++failed;
    CHECK(failed == 5);
    int pulled = 0;
    auto endless = std::views::iota(0) | std::views::transform([&](int x) { return ++pulled, x; });
    auto lazy = pool.imap(add, endless);
    CHECK(lazy.next() == 10);
    CHECK(pulled < 100);
  }

  TEST_CASE_FIXTURE(LeakCheck, "the end: closed, joined, terminated") {
    mp::ThreadPool pool(1);
    CHECK_THROWS_AS(pool.join(), mp::ValueError);
    auto lazy = pool.imap([](int x) { return x; }, std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9});
    pool.close();
    CHECK_THROWS_AS(pool.apply([] {}), mp::ValueError);
    pool.join();
    int sum = 0;
    for (const int x : lazy) sum += x;
    CHECK(sum == 45);

    mp::ThreadPool other(1);
    std::promise<void> begun, go;
    auto running = other.apply_async([&begun, wait = go.get_future().share()] {
      begun.set_value();
      wait.wait();
    });
    begun.get_future().wait();
    auto waiting = other.apply_async([] {});
    std::thread terminates([&] { other.terminate(); });
    CHECK_THROWS_AS(waiting.get(), mp::CancelledError);
    go.set_value();
    running.get();
    terminates.join();
    CHECK_THROWS_AS(mp::ThreadPool(0), mp::ValueError);
    mp::ThreadPool unusable(1, {.initializer = [] { throw std::domain_error("no"); }});
    CHECK_THROWS_AS(unusable.apply([] {}), std::domain_error);
  }
}

}  // namespace api_thread_pools
