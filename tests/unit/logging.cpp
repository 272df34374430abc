// Which records are let through, what the sink gets, what children take over. That records reach standard
// error is a matter of processes: see the tests of the public interface.
#include <multiprocessing/logging.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/log.hpp"

namespace mp = multiprocessing;

namespace logging_test {

using Records = std::vector<std::pair<mp::Level, std::string>>;

/// Collects records as long as it lives, and leaves the log as it was in the beginning.
class Collector {
 public:
  Collector() {
    mp::set_log_sink(
        [this](mp::Level level, std::string_view message) { records.emplace_back(level, message); });
  }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;
  ~Collector() {
    mp::set_log_sink({});
    mp::runtime::set_log_settings({});
  }
  Records records;
};

void log_all_levels() {
  const mp::Logger logger = mp::get_logger();
  logger.debug("d");
  logger.info("i");
  logger.warning("w");
  logger.error("e");
  logger.critical("c");
}

std::string letters(const Records& records) {
  std::string all;
  for (const auto& record : records) all += record.second;
  return all;
}

}  // namespace logging_test

TEST_SUITE("unit.logging") {
  using logging_test::Collector;
  using logging_test::letters;
  using logging_test::log_all_levels;

  TEST_CASE("a level lets itself and worse through; notset stands for warning") {
    const std::pair<mp::Level, std::string> expected[] = {
        {mp::Level::notset, "wec"},  {mp::Level::debug, "diwec"}, {mp::Level::info, "iwec"},
        {mp::Level::warning, "wec"}, {mp::Level::error, "ec"},    {mp::Level::critical, "c"}};
    for (const auto& [level, seen] : expected) {
      Collector collector;
      mp::get_logger().set_level(level);
      CHECK(mp::get_logger().level() == level);
      log_all_levels();
      CHECK(letters(collector.records) == seen);
    }
  }

  TEST_CASE("the sink gets level and bare message") {
    Collector collector;
    mp::get_logger().error("two\nlines, {} and %s");
    mp::get_logger().log(mp::Level::warning, "");
    mp::get_logger().log(mp::Level::notset, "a record needs a level");
    CHECK(collector.records ==
          logging_test::Records{{mp::Level::error, "two\nlines, {} and %s"}, {mp::Level::warning, ""}});
  }

  TEST_CASE("without a sink and without log_to_stderr() nothing below a warning is wanted") {
    mp::get_logger().set_level(mp::Level::debug);
    CHECK_FALSE(mp::runtime::log_enabled(mp::Level::info));
    CHECK(mp::runtime::log_enabled(mp::Level::warning));
    {
      Collector collector;
      CHECK(mp::runtime::log_enabled(mp::Level::debug));
      CHECK_FALSE(mp::runtime::log_enabled(mp::Level::notset));
    }
    CHECK_FALSE(mp::runtime::log_enabled(mp::Level::info));
    mp::get_logger().set_level(mp::Level::error);
    CHECK_FALSE(mp::runtime::log_enabled(mp::Level::warning));
    mp::runtime::set_log_settings({});
  }

  TEST_CASE("log_to_stderr() sets the level only if it gets one, and children take both over") {
    mp::get_logger().set_level(mp::Level::error);
    mp::log_to_stderr();
    CHECK(mp::runtime::log_settings().level == mp::Level::error);
    CHECK(mp::runtime::log_settings().to_stderr);
    mp::log_to_stderr(mp::Level::info);
    CHECK(mp::runtime::log_settings().level == mp::Level::info);
    CHECK(mp::runtime::log_enabled(mp::Level::info));
    mp::runtime::set_log_settings({});
    CHECK_FALSE(mp::runtime::log_settings().to_stderr);
    CHECK(mp::get_logger().level() == mp::Level::notset);
  }

  TEST_CASE("a line carries level and process name in Python's spelling, or nothing but the message") {
    using mp::runtime::log_line;
    CHECK(log_line(mp::Level::debug, "text", "Process-1") == "[DEBUG/Process-1] text\n");
    CHECK(log_line(mp::Level::info, "", "Process-1:2") == "[INFO/Process-1:2] \n");
    CHECK(log_line(mp::Level::warning, "a {}", "{}") == "[WARNING/{}] a {}\n");
    CHECK(log_line(mp::Level::error, "a\nb", "x") == "[ERROR/x] a\nb\n");
    CHECK(log_line(mp::Level::critical, "text", "x") == "[CRITICAL/x] text\n");
    CHECK(log_line(mp::Level::critical, "text", {}) == "text\n");
  }

  TEST_CASE("a sink that logs, or throws, does no harm") {
    int calls = 0;
    mp::set_log_sink([&](mp::Level, std::string_view) {
      ++calls;
      mp::get_logger().critical("not seen");
      throw 1;
    });
    mp::get_logger().warning("one");
    mp::get_logger().warning("two");
    mp::set_log_sink({});
    CHECK(calls == 2);
  }

  TEST_CASE("a sink may take itself away") {
    int calls = 0;
    mp::set_log_sink([&](mp::Level, std::string_view) {
      ++calls;
      mp::set_log_sink([&](mp::Level, std::string_view) { calls += 10; });
    });
    mp::get_logger().warning("one");
    mp::get_logger().warning("two");
    mp::set_log_sink({});
    CHECK(calls == 11);
  }

  TEST_CASE("the sink gets one record at a time, and none after it was taken away") {
    for (int round = 0; round < 20; ++round) {
      std::atomic<bool> inside = false;
      std::atomic<bool> gone = false;
      std::atomic<int> records = 0;
      mp::set_log_sink([&](mp::Level, std::string_view) {
        CHECK_FALSE(gone);
        CHECK_FALSE(inside.exchange(true));
        ++records;
        inside = false;
      });
      std::vector<std::thread> threads;
      for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
          while (!gone) mp::runtime::log(mp::Level::debug, "x");
        });
      mp::get_logger().set_level(mp::Level::debug);
      while (records < 20) std::this_thread::yield();
      mp::get_logger().set_level(mp::Level::notset);
      mp::set_log_sink({});
      gone = true;
      for (auto& thread : threads) thread.join();
    }
  }
}
