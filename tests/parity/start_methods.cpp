// ctest: timeout=300
// What Python's own tests demand where start methods meet, and where workers end: COVERAGE.md says which is
// which. Connections stand for the queues of those tests.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>

#include "test_support/start_methods.hpp"

namespace parity_start_methods {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::with_each_start_method;

int square(int x) { return x * x; }

void put(mp::Connection connection, int value) { connection.send(value); }

/// Hands the argument on to a child of its own.
void put_and_nest(mp::Connection connection, std::string method) {
  connection.send(2);
  auto process = mp::get_context(method).Process(put, connection, 1);
  process.start();
  process.join();
  if (process.exitcode() != 0) mp::exit(1);
}

/// A pool in a child, with workers of another start method.
int map_in_pool(std::string method) {
  int sum = 0;
  mp::Pool pool(2, {.context = method});
  for (const int value : pool.map(square, std::vector{1, 2, 3})) sum += value;
  return sum;
}

mp::Connection* line = nullptr;

/// The worker says over `connection` that its atexit handlers run.
void announce_end(mp::Connection connection) {
  line = new mp::Connection(std::move(connection));
  std::atexit([] { line->send(std::string("atexit")); });
}

TEST_SUITE("parity.start_methods") {
  TEST_CASE("test_mixed_startmethod") {
    with_each_start_method([](mp::Context& made_by) {
      with_each_start_method([&](mp::Context& started_by) {
        auto [ours, theirs] = made_by.Pipe();
        auto process = started_by.Process(put, theirs, 7);
        process.start();
        theirs.close();
        process.join();
        CHECK(process.exitcode() == 0);
        REQUIRE(ours.poll(0ms));
        CHECK(ours.recv<int>() == 7);
      });
    });
  }

  TEST_CASE("test_nested_startmethod") {
    with_each_start_method([](mp::Context& outer) {
      with_each_start_method([&](mp::Context& inner) {
        auto [ours, theirs] = mp::Pipe();
        auto process = outer.Process(put_and_nest, theirs, std::string(inner.get_start_method()));
        process.start();
        theirs.close();
        process.join();
        CHECK(process.exitcode() == 0);
        std::set<int> results;
        while (results.size() < 2 && ours.poll(0ms)) results.insert(ours.recv<int>());
        CHECK(results == std::set{1, 2});
      });
    });
  }

  TEST_CASE("test_nested_startmethod: pools in children") {
    with_each_start_method([](mp::Context& outer) {
      with_each_start_method([&](mp::Context& inner) {
        CHECK(outer.call(map_in_pool, std::string(inner.get_start_method())) == 14);
      });
    });
  }

  TEST_CASE("workers that end in order leave as every child does: by std::exit where they are not forked") {
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = context.Pipe();
      auto pool = context.Pool(1, {.initializer = {announce_end, theirs}});
      CHECK(pool.map(square, std::vector{1, 2}) == std::vector{1, 4});
      pool.close();
      pool.join();
      const bool told = ours.poll(0ms);
      CHECK(told == (context.get_start_method() == "spawn"));
      if (told) CHECK(ours.recv<std::string>() == "atexit");
    });
  }

  TEST_CASE("workers that are terminated run nothing any more") {
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = context.Pipe();
      auto pool = context.Pool(1, {.initializer = {announce_end, theirs}});
      CHECK(pool.apply(square, 3) == 9);
      pool.terminate();
      pool.join();
      CHECK_FALSE(ours.poll(0ms));
    });
  }
}

}  // namespace parity_start_methods
