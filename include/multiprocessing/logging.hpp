// The library's log, and one for the application's processes. Python: `multiprocessing.get_logger`.
#pragma once

#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/shareable.hpp>

#include <functional>
#include <string_view>

namespace multiprocessing {

class access;
namespace detail {
class Encoder;
class Decoder;
}  // namespace detail

/// notset lets warnings and worse through, as Python does.
enum class Level : unsigned char { notset, debug, info, warning, error, critical };

/// A name for the process's one logger. Copyable, may be handed to a child. Each record is one write:
/// "[INFO/Process-1] message". Thread-safe.
class MULTIPROCESSING_EXPORT Logger : public detail::Shareable {
 public:
  void debug(std::string_view message) const;
  void info(std::string_view message) const;
  void warning(std::string_view message) const;
  void error(std::string_view message) const;
  void critical(std::string_view message) const;
  void log(Level level, std::string_view message) const;
  /// Children that are started later begin with this level.
  void set_level(Level level) const;
  [[nodiscard]] Level level() const;

 private:
  friend class access;
  // Nothing of a logger needs to travel: each process has its own.
  void encode(detail::Encoder&) const {}
  [[nodiscard]] static Logger decode(detail::Decoder&) { return {}; }
};

/// The one logger of this process, in which the library's own records are as well. Where nothing else was
/// said it lets warnings and worse through, bare, to standard error; log_to_stderr() and set_log_sink()
/// change that, before or after. Changes nothing, throws nothing; thread-safe. Python:
/// `multiprocessing.get_logger`.
[[nodiscard]] MULTIPROCESSING_EXPORT Logger get_logger();
/// Sends records to standard error from now on, here and in children started later. Without it only
/// warnings and worse are printed, bare. `level` other than notset also sets the level.
MULTIPROCESSING_EXPORT Logger log_to_stderr(Level level = Level::notset);
/// Sends records to a function instead, for programs without standard error; an empty one takes it away. It
/// may be called from any thread, one record at a time, must not throw, and is not carried over to spawned
/// children.
MULTIPROCESSING_EXPORT void set_log_sink(std::function<void(Level, std::string_view)> sink);

}  // namespace multiprocessing
