// The log: which records are wanted, what they look like, where they go. The only file that includes spdlog.
#include <multiprocessing/logging.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>

#include "contract/console.hpp"
#include "support/log.hpp"

namespace multiprocessing {
namespace runtime {

constinit std::atomic<Level> log_detail::threshold = Level::warning;
constinit std::atomic<bool> log_detail::in_use = false;
constinit std::atomic<std::string (*)()> log_detail::process_name = nullptr;

namespace {

using LogSink = std::function<void(Level, std::string_view)>;

spdlog::level::level_enum to_spdlog(Level level) {
  constexpr spdlog::level::level_enum levels[] = {spdlog::level::off,  spdlog::level::debug,
                                                  spdlog::level::info, spdlog::level::warn,
                                                  spdlog::level::err,  spdlog::level::critical};
  return levels[static_cast<unsigned char>(level)];
}

Level from_spdlog(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return Level::debug;
    case spdlog::level::info:
      return Level::info;
    case spdlog::level::warn:
      return Level::warning;
    case spdlog::level::err:
      return Level::error;
    default:
      return Level::critical;
  }
}

const char* python_name(Level level) {
  constexpr const char* names[] = {"NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};
  return names[static_cast<unsigned char>(level)];
}

std::string process_name() {
  const auto known = log_detail::process_name.load();
  return known != nullptr ? known() : "MainProcess";
}

/// A mutex that can be waited for with an end, made of parts that every thread checker knows.
class TimedMutex {
 public:
  TimedMutex* abandoned =
      nullptr;  ///< the parent's, in a forked child: who looks for leaks shall find it in use

  void lock() {
    std::unique_lock lock(mutex_);
    given_back_.wait(lock, [this] { return !taken_; });
    taken_ = true;
  }
  bool try_lock_for(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    if (!given_back_.wait_for(lock, patience, [this] { return !taken_; })) return false;
    taken_ = true;
    return true;
  }
  void unlock() {
    const std::lock_guard lock(mutex_);
    taken_ = false;
    given_back_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable given_back_;
  bool taken_ = false;
};

/// Where records go, besides the threshold. Made at first use, never destroyed: static destructors log, too.
class LogState {
 public:
  LogState() { log_detail::in_use = true; }

  std::mutex mutex;
  Level level = Level::notset;
  bool decorated = false;                  ///< log_to_stderr() was called
  std::shared_ptr<const LogSink> sink;     ///< changed with both mutexes held, read with one
  std::unique_ptr<spdlog::logger> logger;  ///< made by the first record: most processes write none

  /// Held while the sink runs, so that it gets one record at a time; see SinkLock. A forked child gets a new
  /// one.
  TimedMutex* sink_mutex = new TimedMutex;
  bool sink_rests = false;  ///< lock_log() has its mutex

  /// To be called with `mutex` held, after level, decorated or sink have changed.
  void update_threshold();
};

LogState& state() {
  static LogState& instance = *new LogState;
  return instance;
}

/// Whether this thread runs the sink, and so holds its mutex.
thread_local bool in_sink = false;

/// The sink's mutex, unless this thread is inside the sink already: a sink may replace itself, or fork.
class SinkLock {
 public:
  explicit SinkLock(LogState& log) : lock_(*log.sink_mutex, std::defer_lock) {
    if (!in_sink) lock_.lock();
  }

 private:
  std::unique_lock<TimedMutex> lock_;
};

/// False if there is no sink.
bool call_sink(LogState& log, Level level, std::string_view message) {
  if (in_sink) return true;  // it would call itself for ever
  const SinkLock lock(log);
  const auto sink = log.sink;  // it may replace itself
  if (sink == nullptr) return false;
  in_sink = true;
  try {
    (*sink)(level, message);
  } catch (...) {  // it must not; a record is not worth more than the call that wrote it
  }
  in_sink = false;
  return true;
}

/// What spdlog hands each record to.
class Output final : public spdlog::sinks::sink {
 public:
  explicit Output(LogState& log) : log_(log) {}

  void log(const spdlog::details::log_msg& record) override {
    const Level level = from_spdlog(record.level);
    const std::string_view message(record.payload.data(), record.payload.size());
    for (;;) {
      std::unique_lock lock(log_.mutex);
      if (!log_enabled(level)) return;
      const bool decorated = log_.decorated;
      const bool has_sink = log_.sink != nullptr;
      lock.unlock();
      if (!has_sink)
        return platform::write_to_standard_error(
            log_line(level, message, decorated ? process_name() : std::string()));
      if (call_sink(log_, level, message)) return;
      // It was taken away in between: look again.
    }
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  LogState& log_;
};

spdlog::logger& logger_of(LogState& log) {
  const std::lock_guard lock(log.mutex);
  if (log.logger == nullptr) {
    log.logger = std::make_unique<spdlog::logger>("multiprocessing", std::make_shared<Output>(log));
    log.logger->set_level(spdlog::level::trace);  // the threshold has sifted already
  }
  return *log.logger;
}

void LogState::update_threshold() {
  Level lowest = level == Level::notset ? Level::warning : level;
  // Nobody asked for records: then only what must not go unseen, as Python's last resort does.
  if (!decorated && sink == nullptr) lowest = std::max(lowest, Level::warning);
  log_detail::threshold.store(lowest, std::memory_order_relaxed);
}

}  // namespace

std::string log_line(Level level, std::string_view message, std::string_view process_name) {
  if (process_name.empty()) return fmt::format("{}\n", message);
  return fmt::format("[{}/{}] {}\n", python_name(level), process_name, message);
}

void write_log_record(Level level, std::string_view message) noexcept {
  try {
    logger_of(state()).log(to_spdlog(level), spdlog::string_view_t(message.data(), message.size()));
  } catch (...) {  // out of memory: nobody is there to be told
  }
}

LogSettings log_settings() {
  LogState& log = state();
  const std::lock_guard lock(log.mutex);
  return {log.level, log.decorated};
}

void set_log_settings(LogSettings settings) {
  LogState& log = state();
  const std::lock_guard lock(log.mutex);
  log.decorated = settings.to_stderr;
  log.level = settings.level;
  log.update_threshold();
}

void lock_log() noexcept {
  constexpr std::chrono::milliseconds patience(200);  // a sink writes a line
  LogState& log = state();
  const bool rests = !in_sink && log.sink_mutex->try_lock_for(patience);
  log.mutex.lock();
  log.sink_rests = rests;
}

void unlock_log() noexcept {
  LogState& log = state();
  const bool rested = log.sink_rests;
  log.mutex.unlock();
  if (rested) log.sink_mutex->unlock();
}

void unlock_log_in_child() noexcept {
  LogState& log = state();
  in_sink = false;
  // Not destroyed: it belongs to the parent, and whoever runs it is not here.
  if (!log.sink_rests) new (&log.sink) std::shared_ptr<const LogSink>();
  auto* const turn = new TimedMutex;
  turn->abandoned = log.sink_mutex;
  log.sink_mutex = turn;
  log.update_threshold();
  log.mutex.unlock();
}

}  // namespace runtime

void Logger::debug(std::string_view message) const { runtime::log(Level::debug, message); }
void Logger::info(std::string_view message) const { runtime::log(Level::info, message); }
void Logger::warning(std::string_view message) const { runtime::log(Level::warning, message); }
void Logger::error(std::string_view message) const { runtime::log(Level::error, message); }
void Logger::critical(std::string_view message) const { runtime::log(Level::critical, message); }
void Logger::log(Level level, std::string_view message) const { runtime::log(level, message); }

void Logger::set_level(Level level) const {
  auto& log = runtime::state();
  const std::lock_guard lock(log.mutex);
  log.level = level;
  log.update_threshold();
}

Level Logger::level() const { return runtime::log_settings().level; }

Logger get_logger() { return {}; }

Logger log_to_stderr(Level level) {
  auto& log = runtime::state();
  const std::lock_guard lock(log.mutex);
  if (level != Level::notset) log.level = level;
  log.decorated = true;
  log.update_threshold();
  return {};
}

void set_log_sink(std::function<void(Level, std::string_view)> sink) {
  std::shared_ptr<const runtime::LogSink> fresh;
  if (sink) fresh = std::make_shared<const runtime::LogSink>(std::move(sink));
  auto& log = runtime::state();
  // Both: when this returns the old sink is not running any more. It is destroyed after the locks are given
  // back.
  const runtime::SinkLock sink_lock(log);
  const std::lock_guard lock(log.mutex);
  log.sink.swap(fresh);
  log.update_threshold();
}

}  // namespace multiprocessing
