// How the runtime logs. What users see of the same log is <multiprocessing/logging.hpp>.
#pragma once

#include <multiprocessing/logging.hpp>

#include <atomic>
#include <string>
#include <string_view>

namespace multiprocessing::runtime {

namespace log_detail {
/// Records below this level go nowhere. Constant-initialized: usable before main().
extern std::atomic<Level> threshold;
}  // namespace log_detail

/// Whether a record of this level would be printed: ask before building an expensive text. One relaxed load.
[[nodiscard]] inline bool log_enabled(Level level) noexcept {
  return level != Level::notset && level >= log_detail::threshold.load(std::memory_order_relaxed);
}

/// Writes the record with what it takes; call log().
void write_log_record(Level level, std::string_view message) noexcept;

/// Cheap when the level is off. Thread-safe. A record that cannot be written is dropped.
inline void log(Level level, std::string_view message) noexcept {
  if (log_enabled(level)) write_log_record(level, message);
}

/// What is printed for a record: "[INFO/Process-1] message" and a line's end; without a name just the
/// message.
[[nodiscard]] std::string log_line(Level level, std::string_view message, std::string_view process_name);

/// The name in "[INFO/Process-1] …" from now on; "MainProcess" until then.
void set_log_process_name(std::string name);

/// What children take over.
struct LogSettings {
  Level level = Level::notset;
  bool to_stderr = false;
};
[[nodiscard]] LogSettings log_settings();
void set_log_settings(LogSettings settings);

/// For ForkGuard: no other thread is inside the log between the two. A sink that runs is waited for, so that
/// the child finds it whole, but not for ever: it may want a lock that the caller holds.
void lock_log() noexcept;
void unlock_log() noexcept;
/// In a forked child, in place of unlock_log(). If the sink runs in some thread of the parent the child goes
/// without: its records go to standard error.
void unlock_log_in_child() noexcept;

}  // namespace multiprocessing::runtime
