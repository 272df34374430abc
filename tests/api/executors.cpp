// ctest: timeout=300 cost=12
// ProcessPoolExecutor, and waiting for many futures.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <future>
#include <numeric>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace api_executors {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::LeakCheck;
using mp::test_support::with_each_start_method;

int square(int x) { return x * x; }
int odd_only(int x) {
  if (x % 2 == 0) throw std::out_of_range("even");
  return x;
}
int power(int base, int exponent) {
  int product = 1;
  while (exponent-- > 0) product *= base;
  return product;
}
void hang() { mp::connection::wait({mp::parent_process()->sentinel()}); }
int with_own_child(int x) {
  mp::Pool nested(1);
  return nested.apply(square, x);
}

mp::Connection* line = nullptr;
/// Says that it has begun, and goes on when it is told to.
int wait_for_word(int x) {
  line->send(x);
  line->recv<bool>();
  return x;
}

/// As a program does that leaves by exit() in the middle of an iteration.
void leaves_a_map_unread() {
  static auto& executor = *new mp::ProcessPoolExecutor(1);
  static auto& results = *new auto(executor.map(square, std::views::iota(0)));
  static_cast<void>(results.next());
  mp::exit(3);
}

TEST_SUITE("api.executors") {
  TEST_CASE("an iteration that is not gone through to its end does not hold up the end of the program") {
    with_each_start_method([](mp::Context& context) {
      mp::Process program = context.Process(leaves_a_map_unread);
      program.start();
      program.join();
      CHECK(program.exitcode() == 3);
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "submit answers with a future") {
    with_each_start_method([](mp::Context& context) {
      mp::ProcessPoolExecutor executor(2, {.context = context});
      auto future = executor.submit(square, 7);
      CHECK(future.result() == 49);
      CHECK(future.done());
      CHECK_FALSE(future.cancelled());
      CHECK(future.exception() == nullptr);
      CHECK_THROWS_AS(executor.submit(odd_only, 2).result(), std::out_of_range);
      CHECK(executor.submit(with_own_child, 3).result() == 9);
      executor.shutdown();
      executor.shutdown();
      CHECK_THROWS_AS(executor.submit(square, 1), mp::RuntimeError);
      CHECK(mp::active_children().empty());
    });
  }

  TEST_CASE("map takes several ranges, as long as the shortest") {
    mp::ProcessPoolExecutor executor(2);
    const std::vector<int> bases = {2, 3, 4};
    const auto all = [](auto results) {
      std::vector<int> list;
      for (auto& each : results) list.push_back(each);
      return list;
    };
    CHECK(all(executor.map(power, bases, std::views::iota(1))) == std::vector{2, 9, 64});
    CHECK(all(executor.map(power, std::vector{5, 6}, bases)) == std::vector{25, 216});
    CHECK(all(executor.map(mp::MapOptions{.chunksize = 2}, power, bases, std::vector{3, 2, 1, 0})) ==
          std::vector{8, 9, 4});
    CHECK(all(executor.map(power, bases, std::vector<int>{})).empty());
    CHECK(all(executor.map(power, std::vector<int>{}, std::views::iota(0))).empty());
    const auto joined = [](std::string a, const std::string& b, bool twice) {
      return static_cast<int>((a + b).size()) * (twice ? 2 : 1);
    };
    const std::vector<std::string> words = {"a", "bc"};
    CHECK(all(executor.map(joined, words, std::views::single("def"), std::vector<bool>{true, false})) ==
          std::vector{8});
    // Python: the second range is not asked for more once the first has ended, but the other way about it is.
    std::istringstream first_text("1 2 3"), second_text("1 2");
    std::ranges::istream_view<int> first(first_text), second(second_text);
    CHECK(all(executor.map(power, second, first)) == std::vector{1, 4});
    CHECK(*std::ranges::begin(first) == 3);
    auto failing = executor.map(power, bases, std::views::iota(0) | std::views::transform(odd_only));
    CHECK_THROWS_AS(failing.next(), std::out_of_range);
    CHECK_FALSE(failing.next());
  }

  TEST_CASE("a future is running once a worker was given its work, and until that is done") {
    auto [ours, theirs] = mp::Pipe();
    mp::ProcessPoolExecutor executor(
        1, {.initializer = {[](mp::Connection end) { line = new mp::Connection(std::move(end)); }, theirs}});
    auto first = executor.submit(wait_for_word, 1);
    auto second = executor.submit(wait_for_word, 2);
    auto dropped = executor.submit(wait_for_word, 3);
    CHECK(ours.recv<int>() == 1);
    CHECK(first.running());
    CHECK_FALSE(first.done());
    CHECK_FALSE(second.running());
    CHECK_FALSE(second.done());
    CHECK(dropped.cancel());
    CHECK_FALSE(dropped.running());
    ours.send(true);
    CHECK(ours.recv<int>() == 2);
    CHECK(second.running());
    CHECK(first.result() == 1);
    CHECK_FALSE(first.running());
    CHECK(second.cancel());  // where Python says no
    CHECK_FALSE(second.running());
    CHECK(second.cancelled());
  }

  TEST_CASE("map gives results in order, throws the first failure, and keeps to its time") {
    mp::ProcessPoolExecutor executor(2);
    std::vector<int> results;
    for (const int x : executor.map(square, std::views::iota(0, 20))) results.push_back(x);
    CHECK(results.size() == 20);
    CHECK(results[19] == 361);
    int sum = 0;
    for (const int x :
         executor.map(mp::MapOptions{.chunksize = 5, .buffersize = 1}, square, std::views::iota(0, 20)))
      sum += x;
    CHECK(sum == 2470);
    auto failing = executor.map(odd_only, std::vector{1, 2, 3});
    CHECK(failing.next() == 1);
    CHECK_THROWS_AS(failing.next(), std::out_of_range);
    auto blocker = executor.submit(hang);
    auto other = executor.submit(hang);
    auto late = executor.map(mp::MapOptions{.timeout = 50ms}, square, std::vector{1});
    CHECK_THROWS_AS(late.next(), mp::TimeoutError);
    CHECK(blocker.cancel());
    CHECK(other.cancel());
  }

  TEST_CASE("wait tells which are done") {
    mp::ProcessPoolExecutor executor(2);
    auto hanging = executor.submit(hang);
    auto quick = executor.submit([] {});
    const std::vector both = {hanging, quick};
    const auto first = mp::futures::wait(both, mp::infinite, mp::futures::ReturnWhen::first_completed);
    CHECK(first.done.size() == 1);
    CHECK(first.not_done.size() == 1);
    CHECK(first.done[0].done());
    const auto none = mp::futures::wait(std::vector{hanging}, 20ms);
    CHECK(none.done.empty());
    auto bad = executor.submit([] { throw std::domain_error("bad"); });
    const auto failed =
        mp::futures::wait(std::vector{hanging, bad}, mp::infinite, mp::futures::ReturnWhen::first_exception);
    CHECK(failed.done.size() == 1);
    mp::StopSource stop;
    stop.request_stop();
    CHECK_THROWS_AS(mp::futures::wait(std::vector{hanging}, mp::infinite,
                                      mp::futures::ReturnWhen::all_completed, stop.token()),
                    mp::CancelledError);
    hanging.cancel();
    CHECK(mp::futures::wait(both).not_done.empty());
  }

  TEST_CASE("as_completed gives each once, as it is done") {
    mp::ProcessPoolExecutor executor(2);
    std::vector<mp::Future<int>> futures;
    for (int i = 0; i < 20; ++i) futures.push_back(executor.submit(square, i));
    std::multiset<int> results;
    for (auto& future : mp::futures::as_completed(futures)) results.insert(future.result());
    CHECK(results.size() == 20);
    CHECK(*results.rbegin() == 361);
    auto hanging = executor.submit(hang);
    auto never = mp::futures::as_completed(std::vector{hanging}, 20ms);
    CHECK_THROWS_AS(never.next(), mp::TimeoutError);
    hanging.cancel();
    CHECK(never.next() != nullptr);
    CHECK(never.next() == nullptr);
  }

  TEST_CASE("shutdown with cancel does not wait for who pulls an input, and his iteration ends with it") {
    std::promise<void> pulls, goes_on;
    const auto released = goes_on.get_future().share();
    mp::ProcessPoolExecutor executor(1);
    auto consumer = std::async(std::launch::async, [&] {
      auto results = executor.map(mp::MapOptions{.timeout = 60s}, square,
                                  std::views::iota(0) | std::views::transform([&](int x) {
                                    if (x == 1) {
                                      pulls.set_value();
                                      released.wait();
                                    }
                                    return x;
                                  }));
      int failures = 0;
      for (bool more = true; more;) try {
          more = results.next().has_value();
        } catch (const mp::CancelledError&) {
          ++failures;
        }
      return failures;
    });
    pulls.get_future().wait();
    executor.shutdown(false, true);
    goes_on.set_value();
    CHECK(consumer.get() > 0);
    executor.shutdown();
  }

  TEST_CASE_FIXTURE(LeakCheck, "shutdown can cancel what was not begun; ending the workers ends every task") {
    mp::ProcessPoolExecutor executor(1);
    executor.submit(square, 1).result();  // its worker takes the next task at once
    auto running = executor.submit(hang);
    auto waiting = executor.submit(square, 1);
    executor.shutdown(false, true);
    CHECK(waiting.cancelled());
    CHECK_FALSE(running.done());
    CHECK(running.cancel());
    executor.shutdown();
    for (const bool kill : {false, true}) {
      mp::ProcessPoolExecutor broken(1);
      auto lost = broken.submit(hang);
      kill ? broken.kill_workers() : broken.terminate_workers();
      CHECK_THROWS_AS(lost.result(), mp::BrokenProcessPool);
      CHECK_THROWS_AS(broken.submit(square, 1), mp::BrokenProcessPool);
    }
    mp::ProcessPoolExecutor unusable(1, {.initializer = {[] { throw std::domain_error("no"); }}});
    CHECK_THROWS_AS(unusable.submit(square, 1).result(), mp::BrokenProcessPool);
  }
}

}  // namespace api_executors
