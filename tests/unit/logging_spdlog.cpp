// The adapter that hands the library's log to a logger of spdlog's.
#include <multiprocessing/adapters/spdlog.hpp>
#include <multiprocessing/logging.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <sstream>
#include <string>

#include <spdlog/sinks/ostream_sink.h>

namespace mp = multiprocessing;

TEST_SUITE("unit.logging_spdlog") {
  TEST_CASE("records go to the logger with its own levels, until there is none") {
    std::ostringstream text;
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(text);
    sink->set_pattern("%l:%v|");
    const auto spdlog_logger = std::make_shared<spdlog::logger>("mine", sink);
    spdlog_logger->set_level(spdlog::level::debug);
    const mp::Logger logger = mp::get_logger();
    logger.set_level(mp::Level::debug);
    mp::log_to_spdlog(spdlog_logger);
    logger.debug("d");
    logger.info("{}");
    logger.warning("w");
    logger.error("e");
    logger.critical("c");
    mp::log_to_spdlog(nullptr);
    logger.set_level(mp::Level::notset);
    std::string seen;
    for (const char character : text.str())
      if (character != '\n' && character != '\r') seen += character;
    CHECK(seen == "debug:d|info:{}|warning:w|error:e|critical:c|");
    CHECK(spdlog_logger.use_count() == 1);
  }
}
