// One function call in a process of its own, with its result. No counterpart in Python.
#pragma once

#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/task.hpp>
#include <multiprocessing/future.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/process_options.hpp>

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing {

/// Comes first when a call wants more than a function and its arguments.
struct CallOptions {
  StopToken stop = {};
  ProcessOptions process = {};
};

namespace detail {

/// Runs the task in a new process and returns the bytes of its result, or throws what it threw, or
/// ProcessExitedException if it ended without either. Over time: the process is stopped, TimeoutError.
MULTIPROCESSING_EXPORT std::vector<std::byte> call_task(StartWith with, CallOptions options,
                                                        std::unique_ptr<Task> task, Duration timeout);
MULTIPROCESSING_EXPORT std::shared_ptr<FutureCore> call_task_async(StartWith with, CallOptions options,
                                                                   std::unique_ptr<Task> task);

template <class F>
concept callable_argument = !std::same_as<std::decay_t<F>, CallOptions>;

}  // namespace detail

/// Runs `f(args...)` in a fresh process and returns its result. What f throws is thrown here: with its own
/// type if that is the standard library's or ours, else as RemoteError. Blocks until the process has ended.
/// Also throws ProcessExitedException (it crashed or exited), SerializationError (an argument or the result
/// cannot be written or read; a result cannot bring a Connection), CancelledError (options.stop: the process
/// is stopped first, killed after a second), OSError and whatever else Process::start() throws. Thread-safe.
template <class F, class... Args>
requires detail::callable_argument<F>
auto call(CallOptions options, F f, Args&&... args) -> detail::task_result_t<F, Args...> {
  using R = detail::task_result_t<F, Args...>;
  return detail::decode_result<R>(detail::call_task(
      {}, std::move(options), detail::make_task<true>(std::move(f), std::forward<Args>(args)...), infinite));
}
template <class F, class... Args>
requires detail::callable_argument<F>
auto call(F f, Args&&... args) -> detail::task_result_t<F, Args...> {
  return call(CallOptions{}, std::move(f), std::forward<Args>(args)...);
}

/// The same without waiting: what starting throws is thrown here, the rest by the Future.
template <class F, class... Args>
requires detail::callable_argument<F>
auto call_async(CallOptions options, F f, Args&&... args) -> Future<detail::task_result_t<F, Args...>> {
  using R = detail::task_result_t<F, Args...>;
  return Future<R>(detail::call_task_async(
      {}, std::move(options), detail::make_task<true>(std::move(f), std::forward<Args>(args)...)));
}
template <class F, class... Args>
requires detail::callable_argument<F>
auto call_async(F f, Args&&... args) -> Future<detail::task_result_t<F, Args...>> {
  return call_async(CallOptions{}, std::move(f), std::forward<Args>(args)...);
}

}  // namespace multiprocessing
