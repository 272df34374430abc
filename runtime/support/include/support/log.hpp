// How the runtime logs. What users see of the same log is <multiprocessing/logging.hpp>.
#pragma once

#include <multiprocessing/logging.hpp>

#include <atomic>
#include <string>
#include <string_view>

namespace multiprocessing::runtime {

namespace log_detail {
// Constant-initialized: usable before main().
/// Records below this level go nowhere.
extern std::atomic<Level> threshold;
/// Something of the log was set, asked for, or a record written.
extern std::atomic<bool> in_use;
/// Null: nobody has a name yet.
extern std::atomic<std::string (*)()> process_name;
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

/// Who is asked for the name in "[INFO/Process-1] …" when such a record is written; "MainProcess" until then.
inline void ask_for_log_process_name(std::string (*name)()) noexcept { log_detail::process_name = name; }

/// What children take over.
struct LogSettings {
  Level level = Level::notset;
  bool to_stderr = false;
};
[[nodiscard]] LogSettings log_settings();
void set_log_settings(LogSettings settings);
/// In a new process, which seldom has a log to make for this.
inline void take_over_log_settings(LogSettings settings) {
  const bool usual = settings.level == Level::notset && !settings.to_stderr;
  if (!usual || log_detail::in_use) set_log_settings(settings);
}

/// For ForkGuard: no other thread is inside the log between the two. A sink that runs is waited for, so that
/// the child finds it whole, but not for ever: it may want a lock that the caller holds.
void lock_log() noexcept;
void unlock_log() noexcept;
/// In a forked child, in place of unlock_log(). If the sink runs in some thread of the parent the child goes
/// without: its records go to standard error.
void unlock_log_in_child() noexcept;

}  // namespace multiprocessing::runtime
