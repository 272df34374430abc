// Time limits for work: in a process of its own, or cooperative in this one.
#pragma once

#include <multiprocessing/call.hpp>
#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/duration.hpp>
#include <multiprocessing/stop_token.hpp>

#include <memory>

namespace multiprocessing {

/// Runs `f(args...)` in a process of its own and returns its result, as call() does. If that takes longer
/// than `limit`, from here on and with the start, the process is stopped (killed after a second more) and
/// TimeoutError thrown; nothing is left behind. Also throws what call() does: what f threw,
/// ProcessExitedException, SerializationError, CancelledError (options.stop), OSError. Thread-safe. No
/// counterpart in Python.
template <class F, class... Args>
auto run_with_timeout(CallOptions options, Duration limit, F f, Args&&... args)
    -> detail::task_result_t<F, Args...> {
  using R = detail::task_result_t<F, Args...>;
  return detail::decode_result<R>(detail::call_task(
      {}, std::move(options), detail::make_task<true>(std::move(f), std::forward<Args>(args)...), limit));
}
template <class F, class... Args>
auto run_with_timeout(Duration limit, F f, Args&&... args) -> detail::task_result_t<F, Args...> {
  return run_with_timeout(CallOptions{}, limit, std::move(f), std::forward<Args>(args)...);
}

/// A time limit for code that must stay in this process and looks at the clock itself. One made while
/// another is alive in the same thread ends no later than that one. Thread-safe, but for creation and
/// destruction, which happen in one thread, inner limits first.
class MULTIPROCESSING_EXPORT TimeLimit {
 public:
  explicit TimeLimit(Duration limit);
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;
  ~TimeLimit();

  /// Throws TimeOutException once the time is over. Cheap.
  void check() const;
  [[nodiscard]] bool expired() const noexcept;
  /// What is left; zero when it is over.
  [[nodiscard]] Duration remaining() const noexcept;
  /// Set when the time is over: hand it to any blocking call of the library.
  [[nodiscard]] StopToken token() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace multiprocessing
