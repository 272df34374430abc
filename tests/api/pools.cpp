// ctest: timeout=300 cost=25
// Pool: apply, map, starmap, imap, outcomes; what comes back, and in which order.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <numeric>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "test_support/abilities.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace api_pools {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::is_slow;
using mp::test_support::LeakCheck;
using mp::test_support::with_each_start_method;

struct Point {
  int x = 0;
  std::string name;
};
struct Adder {
  int amount = 0;
  int operator()(int x) const { return x + amount; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(amount);
  }
};
struct Unreadable {
  int value = 0;
  template <class Archive>
  void save(Archive& archive) const {
    if (value == 2) throw std::runtime_error("two cannot be written");
    archive(value);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(value);
  }
};

/// Nobody but its own functions knows that there is a handle in it.
struct HiddenLine {
  std::shared_ptr<mp::Connection> line = std::make_shared<mp::Connection>();
  template <class Archive>
  void serialize(Archive& archive) {
    archive(*line);
  }
};
bool is_closed(const HiddenLine& hidden) { return hidden.line->closed(); }

/// Its load() throws for a two.
struct Unloadable {
  int value = 0;
  template <class Archive>
  void save(Archive& archive) const {
    archive(value);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(value);
    if (value == 2) throw std::runtime_error("two cannot be read");
  }
};
int value_of_loaded(const Unloadable& x) { return x.value; }
Unloadable to_be_loaded(int x) { return {x}; }

std::string greeting = "none";  // of the program: a child never came by a static variable of a test

int square(int x) { return x * x; }
int add(int a, int b) { return a + b; }
std::string name_of(const Point& point) { return point.name + std::to_string(point.x); }
Point point_of(int x) { return {x, "p"}; }
void check_positive(int x) {
  if (x < 0) throw std::domain_error("negative: " + std::to_string(x));
}
int odd_only(int x) {
  if (x % 2 == 0) throw std::out_of_range("even: " + std::to_string(x));
  return x;
}
mp::Connection* waits_at = nullptr;  // of a worker
mp::Connection* tells_at = nullptr;
void take_both_ends(mp::Connection first, mp::Connection last) {
  waits_at = new mp::Connection(std::move(first));
  tells_at = new mp::Connection(std::move(last));
}
bool first_waits_for_last(int x) {
  if (x == 60) tells_at->send(x);
  return x != 0 || waits_at->poll(60s);
}
struct Lines {
  mp::Connection gate, report, told, tells;
};
Lines* lines = nullptr;  // of a worker
void take_lines(mp::Connection gate, mp::Connection report, mp::Connection told, mp::Connection tells) {
  lines = new Lines{std::move(gate), std::move(report), std::move(told), std::move(tells)};
}
bool wait_at_gate() { return lines->gate.poll(60s); }
bool last_waits_for_another_call(int x) {
  if (x == 0) lines->report.send(x);
  return x != 2 || lines->told.poll(60s);
}
void tell_the_last() { lines->tells.send(1); }
std::size_t length(std::string_view text) { return text.size(); }
int value_of(Unreadable thing) { return thing.value; }
std::vector<char> large(std::size_t size) { return std::vector<char>(size, 'x'); }
int pid_of(int) { return *mp::current_process().pid(); }
std::string process_name() { return mp::current_process().name(); }
bool is_daemon() { return mp::current_process().daemon(); }
void start_a_child() {
  mp::Process child(square, 1);
  child.start();
}

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

TEST_SUITE("api.pools") {
  TEST_CASE_FIXTURE(LeakCheck, "apply returns the result, and throws what the task threw") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool(2, {.context = context});
      CHECK(pool.processes() == 2);
      CHECK(pool.apply(square, 7) == 49);
      CHECK(pool.apply(add, 1, 2) == 3);
      CHECK(pool.apply(Adder{5}, 1) == 6);
      CHECK(pool.apply([](int a) { return a + 1; }, 1) == 2);
      CHECK(pool.apply(mp::fn<&Point::x>, Point{4, ""}) == 4);
      CHECK(pool.apply(length, "four") == 4);
      CHECK(pool.apply(name_of, Point{1, "a"}) == "a1");
      pool.apply(check_positive, 1);
      CHECK_THROWS_AS(pool.apply(check_positive, -1), std::domain_error);
      try {
        pool.apply(odd_only, 2);
        FAIL("even");
      } catch (const std::out_of_range& error) {
        CHECK(std::string(error.what()) == "even: 2");
      }
      CHECK(pool.apply(square, 3) == 9);
    });
  }

  TEST_CASE("map keeps the order, whatever the chunks") {
    mp::Pool pool(3);
    const auto inputs = numbers(100);
    std::vector<int> squares;
    for (const int x : inputs) squares.push_back(x * x);
    CHECK(pool.map(square, inputs) == squares);
    for (const std::size_t chunksize : {1U, 2U, 7U, 99U, 100U, 1000U})
      CHECK(pool.map(square, inputs, chunksize) == squares);
    CHECK(pool.map(square, std::views::iota(0, 100)) == squares);
    std::istringstream text("1 2 3 4 5");  // read once, of unknown length
    CHECK(pool.map(square, std::ranges::istream_view<int>(text)) == std::vector{1, 4, 9, 16, 25});
    std::istringstream again("1 2 3 4 5");
    CHECK(pool.map(square, std::ranges::istream_view<int>(again), 2) == std::vector{1, 4, 9, 16, 25});
    CHECK(pool.map(square, std::vector<int>{}).empty());
    CHECK(pool.map(name_of, std::vector<Point>{{1, "a"}, {2, "b"}}) == std::vector<std::string>{"a1", "b2"});
    CHECK(pool.map(point_of, numbers(3))[2].x == 2);
    CHECK(pool.map([](int x) { return x % 2 == 0; }, numbers(3)) == std::vector<bool>{true, false, true});
    pool.map(check_positive, inputs);
    CHECK_THROWS_AS(pool.map(check_positive, std::vector{1, -2, 3}), std::domain_error);
    CHECK_THROWS_AS(static_cast<void>(pool.map(square, inputs, 0)), mp::ValueError);
  }

  TEST_CASE("starmap takes the parts of its inputs as arguments") {
    mp::Pool pool(2);
    CHECK(pool.starmap(add, std::vector<std::pair<int, int>>{{1, 2}, {3, 4}}) == std::vector{3, 7});
    CHECK(pool.starmap(add, std::vector<std::tuple<int, int>>{{1, 2}}) == std::vector{3});
    CHECK(pool.starmap_async(add, std::vector<std::array<int, 2>>{{1, 2}}).get() == std::vector{3});
  }

  TEST_CASE("map_async: the first failure, when all are done") {
    mp::Pool pool(2);
    auto good = pool.map_async(square, numbers(10));
    auto bad = pool.map_async(odd_only, numbers(10), 1);
    CHECK(good.get().size() == 10);
    CHECK(good.ready());
    CHECK(good.successful());
    CHECK(bad.wait());
    CHECK_FALSE(bad.successful());
    CHECK_THROWS_AS(bad.get(), std::out_of_range);
    CHECK_THROWS_AS(bad.get(), std::out_of_range);
  }

  TEST_CASE("whoever takes the last result of a call that is given up has its worker begin the next") {
    mp::Pool pool(1);
    for (int i = 0; i < (is_slow() ? 500 : 5'000); ++i) {
      {
        auto given_up = pool.imap(square, numbers(8));
        REQUIRE(given_up.next() == 0);
      }
      REQUIRE(pool.apply(square, i) == i * i);
    }
  }

  TEST_CASE("when join has returned every result is there, whoever took it from the worker") {
    for (int round = 0; round < (is_slow() ? 20 : 200); ++round) {
      mp::Pool pool(2);
      const auto all = pool.map_async(square, numbers(64), 1);
      const auto looking = std::async(std::launch::async, [&] { static_cast<void>(all.wait()); });
      pool.close();
      pool.join();
      REQUIRE(all.ready());
    }
  }

  TEST_CASE("imap gives results in order, and goes on behind a failure") {
    mp::Pool pool(2);
    std::vector<int> results;
    for (const int x : pool.imap(square, std::views::iota(0, 50))) results.push_back(x);
    CHECK(results == pool.map(square, numbers(50)));

    auto odd = pool.imap(odd_only, numbers(6), 2);
    std::vector<int> seen;
    int failures = 0;
    for (;;) try {
        const auto next = odd.next();
        if (!next) break;
        seen.push_back(*next);
      } catch (const std::out_of_range&) {
        ++failures;
      }
    CHECK(seen == std::vector{1, 3, 5});
    CHECK(failures == 3);
    CHECK_FALSE(odd.next());

    auto iterated = pool.imap(odd_only, numbers(4));
    int thrown = 0, sum = 0;
    for (auto i = iterated.begin(); i != iterated.end(); ++i) try {
        sum += *i;
      } catch (const std::out_of_range&) {
        ++thrown;
      }
    CHECK(sum == 4);
    CHECK(thrown == 2);
  }

  TEST_CASE("imap_unordered gives each result once") {
    mp::Pool pool(3);
    for (const std::size_t chunksize : {1U, 5U}) {
      std::multiset<int> results;
      for (const int x : pool.imap_unordered(square, std::views::iota(0, 100), chunksize)) results.insert(x);
      CHECK(results.size() == 100);
      CHECK(*results.rbegin() == 99 * 99);
    }
  }

  TEST_CASE("imap reads little ahead, and takes what has no end") {
    mp::Pool pool(2);
    int pulled = 0;
    auto counted = std::views::iota(0) | std::views::transform([&](int x) {
                     ++pulled;
                     return x;
                   });
    auto results = pool.imap(square, counted);
    for (int i = 0; i < 10; ++i) CHECK(results.next() == i * i);
    CHECK(pulled >= 10);
    CHECK(pulled < 1000);
    std::istringstream once("3 4 5");
    std::vector<int> read;
    for (const int x : pool.imap(square, std::ranges::istream_view<int>(once))) read.push_back(x);
    CHECK(read == std::vector{9, 16, 25});
  }

  TEST_CASE("of inputs without number few are held at a time") {
    constexpr int processes = 2, count = 300'000, chunksize = 10;
    constexpr int most_chunks = 130 * processes;  // as docs/pools.md says
    mp::Pool pool(processes);
    int pulled = 0, taken = 0, most_ahead = 0;
    const auto inputs = std::views::iota(0, count) | std::views::transform([&pulled](int x) {
                          ++pulled;
                          return x;
                        });
    int wrong = 0;
    for (const int x : pool.imap([](int input) { return input; }, inputs, chunksize)) {
      if (x != taken) ++wrong;
      ++taken;
      most_ahead = std::max(most_ahead, pulled - taken);
    }
    CHECK(wrong == 0);
    CHECK(taken == count);
    CHECK(pulled == count);
    CHECK(most_ahead > chunksize);
    // And what is left of the chunk whose results are being taken.
    CHECK(most_ahead <= (most_chunks + 1) * chunksize);
  }

  TEST_CASE("a slow task leaves no worker idle while those behind it are done") {
    auto [first, last] = mp::Pipe();
    mp::Pool pool(2, {.initializer = {take_both_ends, first, last}});
    int number = 0;
    for (const bool good : pool.imap(first_waits_for_last, numbers(61))) {
      CHECK(good);
      ++number;
    }
    CHECK(number == 61);
  }

  TEST_CASE("a task waits behind none of another call while a worker is idle") {
    auto [gate, at_gate] = mp::Pipe();
    auto [reported, report] = mp::Pipe();
    auto [told, tells] = mp::Pipe();
    mp::Pool pool(2, {.initializer = {take_lines, at_gate, report, told, tells}});
    // So short that many are handed out ahead, and it is one worker that they and what follows go to.
    CHECK(pool.map(square, numbers(400), 1).size() == 400);
    auto held = pool.apply_async(wait_at_gate);
    auto many = pool.map_async(square, numbers(2000), 1);
    auto waits = pool.map_async(last_waits_for_another_call, numbers(3), 1);
    auto told_by = pool.apply_async(tell_the_last);
    CHECK(reported.recv<int>() == 0);
    gate.send(1);  // now another worker has nothing to do
    CHECK(waits.get() == std::vector<bool>{true, true, true});
    CHECK(held.get());
    told_by.get();
    CHECK(many.get().size() == 2000);
  }

  TEST_CASE("cancelling a task that is just done frees its worker for the next") {
    mp::Pool pool(1);
    for (int i = 0; i < 300; ++i) {
      auto first = pool.apply_async(square, i);
      auto second = pool.apply_async(square, i);
      first.cancel();
      CHECK(second.get(60s) == i * i);
    }
  }

  TEST_CASE("outcomes name their input and hold a result or an error") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool(2, {.context = context});
      std::set<std::size_t> seen;
      for (auto& outcome : pool.imap_outcomes(odd_only, numbers(20))) {
        CHECK(seen.insert(outcome.index()).second);
        CHECK(outcome.has_value() == (outcome.index() % 2 == 1));
        CHECK(outcome.died() == nullptr);
        if (outcome) {
          CHECK(*outcome == static_cast<int>(outcome.index()));
          CHECK(outcome.error() == nullptr);
        } else {
          CHECK_THROWS_AS(std::rethrow_exception(outcome.error()), std::out_of_range);
          CHECK_THROWS_AS(static_cast<void>(outcome.value()), std::out_of_range);
        }
      }
      CHECK(seen.size() == 20);
      std::size_t expected = 0;
      for (auto& outcome : pool.imap_outcomes(square, numbers(20), {.ordered = true, .chunksize = 3}))
        CHECK(outcome.index() == expected++);
      CHECK(expected == 20);
    });
  }

  TEST_CASE("an input that cannot be written fails alone; inputs that throw end the iteration") {
    mp::Pool pool(2);
    std::vector<Unreadable> things = {{0}, {1}, {2}, {3}};
    std::vector<std::size_t> failed;
    for (auto& outcome : pool.imap_outcomes(value_of, things, {.ordered = true, .chunksize = 3}))
      if (!outcome) {
        failed.push_back(outcome.index());
        CHECK_THROWS_AS(std::rethrow_exception(outcome.error()), mp::SerializationError);
      }
    CHECK(failed == std::vector<std::size_t>{2});
    CHECK_THROWS_AS(static_cast<void>(pool.map(value_of, things)), mp::SerializationError);
    CHECK_THROWS_AS(static_cast<void>(pool.apply(value_of, things[2])), mp::SerializationError);

    auto broken = numbers(10) | std::views::transform([](int x) {
                    if (x == 3) throw std::logic_error("no more");
                    return x;
                  });
    auto results = pool.imap(square, broken);
    for (int i = 0; i < 3; ++i) CHECK(results.next() == i * i);
    CHECK_THROWS_AS(results.next(), std::logic_error);
    CHECK_THROWS_AS(static_cast<void>(pool.map(square, broken)), std::logic_error);
    CHECK(pool.apply(square, 2) == 4);
  }

  TEST_CASE("a handle that only a class's own functions know of is refused when it is written") {
    auto [ours, theirs] = mp::Pipe();
    HiddenLine hidden;
    *hidden.line = std::move(theirs);
    mp::Pool pool(1);
    CHECK_THROWS_AS(static_cast<void>(pool.apply(is_closed, hidden)), mp::SerializationError);
    CHECK_THROWS_AS(
        static_cast<void>(pool.apply(
            [](int) { return HiddenLine{std::make_shared<mp::Connection>(mp::Pipe().first)}; }, 1)),
        mp::SerializationError);
    CHECK(pool.apply(square, 2) == 4);
  }

  TEST_CASE("what cannot be read fails with what lies behind it in the chunk, and no more") {
    mp::Pool pool(1);
    std::vector<Unloadable> things(9);
    things[4].value = 2;
    std::size_t taken = 0;
    for (auto& outcome : pool.imap_outcomes(value_of_loaded, things, {.ordered = true, .chunksize = 3})) {
      INFO("task ", outcome.index());
      CHECK(outcome.index() == taken++);
      const bool behind = outcome.index() == 4 || outcome.index() == 5;
      REQUIRE(bool(outcome) != behind);
      if (behind) CHECK_THROWS_AS(std::rethrow_exception(outcome.error()), mp::SerializationError);
    }
    CHECK(taken == 9);
    std::set<std::size_t> failed;
    for (auto& outcome : pool.imap_outcomes(to_be_loaded, std::vector{0, 0, 0, 0, 2, 0, 0, 0, 0},
                                            {.ordered = true, .chunksize = 3}))
      if (!outcome) failed.insert(outcome.index());
    failed.erase(5);  // unless it came in a message of its own
    CHECK(failed == std::set<std::size_t>{4});
    CHECK(pool.apply(square, 3) == 9);
  }

  TEST_CASE("large arguments and results") {
    mp::Pool pool(2);
    constexpr std::size_t size = 100'000'000;
    CHECK(pool.apply(large, size).size() == size);
    CHECK(pool.apply(length, std::string(size, 'a')) == size);
    const std::vector<std::string> inputs(20, std::string(300'000, 'b'));
    for (const auto each : pool.map(length, inputs, 1)) CHECK(each == 300'000);
    for (const auto& each : pool.imap(large, std::vector<std::size_t>(20, 300'000)))
      CHECK(each.size() == 300'000);
  }

  TEST_CASE("callbacks, at once or later, here or where they are posted") {
    mp::Pool pool(1);
    auto done = pool.apply_async(square, 3);
    done.get();
    int at_once = 0;
    done.on_success([&](int x) { at_once = x; }).on_error([](std::exception_ptr) { FAIL("no error"); });
    CHECK(at_once == 9);
    auto failing = pool.apply_async(odd_only, 2);
    auto [ours, theirs] = mp::Pipe();
    // The callback's thread may still be in send() when its message has come.
    const auto answer = std::make_shared<mp::Connection>(std::move(theirs));
    failing.on_success([](int) { FAIL("no result"); });
    failing.on_error([answer](std::exception_ptr) { answer->send(1); });
    CHECK(ours.recv<int>() == 1);

    std::vector<std::function<void()>> posted;
    int by_post = 0;
    done.via([&](std::function<void()> work) { posted.push_back(std::move(work)); }).on_success([&](int x) {
      by_post = x;
    });
    CHECK(by_post == 0);
    REQUIRE(posted.size() == 1);
    posted[0]();
    CHECK(by_post == 9);
    auto throwing = pool.apply_async(square, 1);
    throwing.on_success([](int) { throw std::runtime_error("in a callback"); });
    throwing.get();
    CHECK(pool.apply(square, 2) == 4);  // it was logged, and nothing else
  }

  TEST_CASE("results can be waited for with processes") {
    mp::Pool pool(2);
    auto result = pool.apply_async(square, 3);
    const auto ready = mp::connection::wait(std::vector{result});
    CHECK(ready.size() == 1);
    CHECK(result.ready());
    CHECK(mp::connection::wait({result.waitable()}, 0s).size() == 1);
  }

  TEST_CASE("the initializer runs once in each worker, before its tasks") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool(2, {.initializer = {[](std::string text) { greeting = std::move(text); }, "hello"},
                        .context = context});
      for (const auto& each : pool.map([](int) { return greeting; }, numbers(10), 1)) CHECK(each == "hello");
    });
    CHECK(greeting == "none");
  }

  TEST_CASE("an initializer is a value: task() makes it, and its copies name the same call") {
    CHECK_FALSE(mp::Task());
    const mp::Task greet =
        mp::task([](std::string text, int times) { greeting = text + std::to_string(times); }, "hello", 2);
    CHECK(greet);
    for (const mp::Task& each : {greet, mp::Task(greet)}) {
      mp::Pool pool(1, {.initializer = each});
      CHECK(pool.apply([] { return greeting; }) == "hello2");
    }
    CHECK(greeting == "none");
  }

  TEST_CASE("a connection comes with the initializer") {
    static mp::Connection* kept = nullptr;
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = mp::Pipe();
      mp::Pool pool(
          1, {.initializer = {[](mp::Connection end) { kept = new mp::Connection(std::move(end)); }, theirs},
              .context = context});
      pool.apply([](int x) { kept->send(x); }, 5);
      CHECK(ours.recv<int>() == 5);
    });
  }

  TEST_CASE("workers are daemonic children with names") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool(2, {.context = context});
      CHECK(mp::active_children().size() == 2);
      CHECK(pool.apply(is_daemon));
      CHECK(pool.apply(process_name).find("PoolWorker-") != std::string::npos);
      CHECK_THROWS_AS(pool.apply(start_a_child), mp::AssertionError);
      const auto pids = pool.map(pid_of, numbers(100), 1);
      CHECK(std::set<int>(pids.begin(), pids.end()).size() <= 2);
    });
    CHECK(mp::active_children().empty());
  }

  TEST_CASE("workers are replaced after their share of tasks") {
    mp::Pool pool(1, {.maxtasksperchild = 2});
    const auto pids = pool.map(pid_of, numbers(6), 1);
    CHECK(std::set<int>(pids.begin(), pids.end()).size() == 3);
    CHECK(pids[0] == pids[1]);
    CHECK(pids[1] != pids[2]);
  }

  TEST_CASE(
      "without a chunk size there are four chunks for each worker, also where the length is not known") {
    mp::Pool pool(1, {.maxtasksperchild = 1});  // so that each chunk has a worker of its own
    const auto by_twos = [](const std::vector<int>& pids) {
      CHECK(std::set<int>(pids.begin(), pids.end()).size() == 4);
      for (std::size_t i = 0; i + 1 < pids.size(); i += 2) CHECK(pids[i] == pids[i + 1]);
    };
    by_twos(pool.map(pid_of, numbers(8)));
    by_twos(pool.map(pid_of, numbers(8) | std::views::filter([](int) { return true; })));
  }

  TEST_CASE_FIXTURE(LeakCheck, "close lets tasks finish; join waits for the end") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool(2, {.context = context});
      CHECK_THROWS_AS(pool.join(), mp::ValueError);
      auto result = pool.map_async(square, numbers(1000), 1);
      auto lazy = pool.imap(square, numbers(300));
      pool.close();
      pool.close();
      CHECK_THROWS_AS(static_cast<void>(pool.apply(square, 1)), mp::ValueError);
      CHECK_THROWS_AS(static_cast<void>(pool.imap(square, numbers(3))), mp::ValueError);
      pool.join();
      CHECK(result.get().size() == 1000);
      int sum = 0;
      for (const int x : lazy) sum += x == 0 ? 0 : 1;
      CHECK(sum == 299);
      CHECK(mp::active_children().empty());
      CHECK(pool.join(0s));
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "terminate answers what is pending") {
    mp::Pool pool(1);
    auto hanging = pool.apply_async([] { mp::connection::wait({mp::parent_process()->sentinel()}); });
    auto pending = pool.apply_async(square, 1);
    auto lazy = pool.imap_unordered(square, numbers(5));
    pool.terminate();
    CHECK_THROWS_AS(hanging.get(), mp::CancelledError);
    CHECK_THROWS_AS(pending.get(), mp::CancelledError);
    CHECK_FALSE(pending.successful());
    CHECK_THROWS_AS(lazy.next(), mp::CancelledError);
    CHECK_THROWS_AS(static_cast<void>(pool.apply(square, 1)), mp::ValueError);
    pool.join();
    CHECK(mp::active_children().empty());
  }

  TEST_CASE("bad sizes") {
    CHECK_THROWS_AS(mp::Pool(0), mp::ValueError);
    CHECK_THROWS_AS(mp::Pool(-1), mp::ValueError);
    CHECK_THROWS_AS(mp::Pool(1, {.maxtasksperchild = 0}), mp::ValueError);
    CHECK_THROWS_AS(mp::Pool(1, {.context = "threads"}), mp::ValueError);
  }

  TEST_CASE("an abandoned iteration leaves the pool usable") {
    mp::Pool pool(2);
    for (int i = 0; i < 20; ++i) {
      auto results = pool.imap(square, std::views::iota(0));
      CHECK(results.next() == 0);
    }
    CHECK(pool.apply(square, 4) == 16);
    mp::Pool moved = std::move(pool);
    CHECK(moved.apply(square, 5) == 25);
    CHECK_THROWS_AS(static_cast<void>(pool.apply(square, 1)), mp::ValueError);
  }
}

}  // namespace api_pools
