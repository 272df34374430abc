// How one thread asks another to give up waiting, or a child to finish. Ours because `<stop_token>` came
// late to some standard libraries; where it is there, both kinds turn into each other.
#pragma once

#include <multiprocessing/detail/export.hpp>

#include <functional>
#include <memory>
#include <version>
#if defined(__cpp_lib_jthread)
#include <stop_token>
#endif

namespace multiprocessing {

namespace detail {
class StopState;
}

/// Asks whether a stop was requested. A copy asks about the same request. An empty token never stops.
/// Thread-safe. Every blocking call of the library takes one, last, and throws CancelledError when it is set.
class MULTIPROCESSING_EXPORT StopToken {
 public:
  StopToken() noexcept = default;

  [[nodiscard]] bool stop_requested() const noexcept;
  /// Whether a request can still come or has come.
  [[nodiscard]] bool stop_possible() const noexcept { return state_ != nullptr; }
  friend bool operator==(const StopToken&, const StopToken&) noexcept = default;

#if defined(__cpp_lib_jthread)
  /// Follows the standard token.
  StopToken(std::stop_token token);
  /// A standard token that follows this one.
  operator std::stop_token() const;
#endif

 private:
  friend class StopSource;
  friend class StopCallback;
  explicit StopToken(std::shared_ptr<detail::StopState> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<detail::StopState> state_;
};

/// Makes the request. A copy makes the same one; a moved-from object makes none, and its token never stops.
/// Thread-safe.
class MULTIPROCESSING_EXPORT StopSource {
 public:
  StopSource();
  /// Runs the callbacks in this thread; true if this call was the first.
  bool request_stop();
  [[nodiscard]] bool stop_requested() const noexcept;
  [[nodiscard]] StopToken token() const noexcept { return StopToken(state_); }
  /// The same under the standard's name.
  [[nodiscard]] StopToken get_token() const noexcept { return token(); }

 private:
  std::shared_ptr<detail::StopState> state_;
};

/// Calls a function once when a stop is requested — at once, in the constructor, if it was already — and not
/// after its destructor returned. The function runs in the thread that requests, and must not throw.
class MULTIPROCESSING_EXPORT StopCallback {
 public:
  StopCallback(StopToken token, std::function<void()> function);
  StopCallback(const StopCallback&) = delete;
  StopCallback& operator=(const StopCallback&) = delete;
  /// Waits while the function runs in another thread.
  ~StopCallback();

 private:
  std::shared_ptr<detail::StopState> state_;
  std::size_t id_ = 0;
};

}  // namespace multiprocessing
