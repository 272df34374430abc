// Sends the library's log to a spdlog logger.
#pragma once

#include <multiprocessing/logging.hpp>

#include <memory>
#include <string_view>
#include <utility>

#include <spdlog/logger.h>

namespace multiprocessing {

/// From now on, in this process, records go to `logger`, as "message" with spdlog's own level; what the
/// logger does not want it drops. Null: they go where they went before.
inline void log_to_spdlog(std::shared_ptr<spdlog::logger> logger) {
  if (logger == nullptr) return set_log_sink({});
  set_log_sink([logger = std::move(logger)](Level level, std::string_view message) {
    constexpr spdlog::level::level_enum levels[] = {spdlog::level::info, spdlog::level::debug,
                                                    spdlog::level::info, spdlog::level::warn,
                                                    spdlog::level::err,  spdlog::level::critical};
    logger->log(levels[static_cast<unsigned char>(level)],
                spdlog::string_view_t(message.data(), message.size()));
  });
}

}  // namespace multiprocessing
