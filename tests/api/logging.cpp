// The log as a program sees it: on standard error of parent and child, one write a record.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <string>
#include <vector>

#include "test_support/start_methods.hpp"

namespace api_logging {

namespace mp = multiprocessing;

void log_three_records() {
  mp::get_logger().debug("a debug record");
  mp::get_logger().info("an info record");
  mp::get_logger().error("an error record");
}
void log_loudly() {
  mp::log_to_stderr(mp::Level::debug);
  log_three_records();
}
void start_logging_child() {
  mp::log_to_stderr(mp::Level::debug);
  mp::Process p(mp::ProcessOptions{.name = "grandchild"}, log_three_records);
  p.start();
  p.join();
}

struct Equipment {
  int number = 0;
  mp::Logger logger;
};
void log_through(mp::Logger& by_reference, const mp::Logger& by_const, mp::Logger by_value,
                 Equipment equipment) {
  by_reference.error("by reference");
  by_const.error("by reference to const");
  by_value.error("by value");
  equipment.logger.error("in an aggregate, " + std::to_string(equipment.number));
}

/// What a child of this target writes to its standard error.
std::string errors_of(mp::Context& context, void (*target)(), const char* name) {
  auto p = context.Process(mp::ProcessOptions{.name = name, .standard_error = mp::Stdio::pipe}, target);
  p.start();
  const auto bytes = p.standard_error().read_all();
  p.join();
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::erase(text, '\r');
  return text;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_SUITE("api.logging") {
  TEST_CASE("without log_to_stderr only warnings and worse are printed, bare") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      CHECK(errors_of(context, log_three_records, "quiet") == "an error record\n");
    });
  }

  TEST_CASE("log_to_stderr names level and process, and its level counts") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      const std::string text = errors_of(context, log_loudly, "loud");
      CHECK(contains(text, "[DEBUG/loud] a debug record\n"));
      CHECK(contains(text, "[INFO/loud] an info record\n"));
      CHECK(contains(text, "[ERROR/loud] an error record\n"));
    });
  }

  TEST_CASE("children take over what their parent chose") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      const std::string text = errors_of(context, start_logging_child, "parent");
      CHECK(contains(text, "[DEBUG/grandchild] a debug record\n"));
      CHECK(contains(text, "[INFO/parent] started process 'grandchild'"));
    });
  }

  TEST_CASE("a logger is a handle that may be handed over in every way") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      mp::Logger logger = mp::get_logger();
      auto p = context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::pipe}, log_through, logger,
                               logger, mp::get_logger(), Equipment{7, logger});
      p.start();
      const auto bytes = p.standard_error().read_all();
      p.join();
      CHECK(p.exitcode() == 0);
      std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      std::erase(text, '\r');
      CHECK(text == "by reference\nby reference to const\nby value\nin an aggregate, 7\n");
    });
  }

  TEST_CASE("a sink takes the records of this process") {
    std::vector<std::string> records;
    mp::set_log_sink([&](mp::Level level, std::string_view message) {
      if (level == mp::Level::error) records.emplace_back(message);
    });
    log_three_records();
    mp::set_log_sink({});
    CHECK(records == std::vector<std::string>{"an error record"});
  }
}

}  // namespace api_logging
