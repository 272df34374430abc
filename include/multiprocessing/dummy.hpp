// ThreadPool: Pool's interface in threads of this process. Python: `multiprocessing.pool.ThreadPool`,
// `multiprocessing.dummy`.
#pragma once

#include <multiprocessing/async_result.hpp>
#include <multiprocessing/detail/submit.hpp>
#include <multiprocessing/detail/thread_pool.hpp>
#include <multiprocessing/detail/thread_stream.hpp>
#include <multiprocessing/outcome.hpp>
#include <multiprocessing/pool.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing {

/// A function and its arguments, `{f, args...}`. Each thread calls a copy of it with copies of them;
/// `std::ref` says what is to be shared.
class ThreadInitializer {
 public:
  ThreadInitializer() = default;
  ThreadInitializer(std::nullptr_t) noexcept {}
  ThreadInitializer(std::function<void()> call) : call_(std::move(call)) {}
  /// A null pointer to a function, or an empty std::function, is nothing to call.
  template <class F, class... Args>
  requires(!std::same_as<std::remove_cvref_t<F>, ThreadInitializer> &&
           std::invocable<std::decay_t<F>&, std::decay_t<Args>...>) ThreadInitializer(F&& f, Args&&... args) {
    std::decay_t<F> function(std::forward<F>(f));
    if (is_empty(function)) return;
    call_ = [f = std::move(function),
             arguments = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)] {
      auto own_function = f;
      auto own_arguments = arguments;
      std::apply(own_function, std::move(own_arguments));
    };
  }
  /// Empty if there is nothing to call.
  [[nodiscard]] const std::function<void()>& call() const noexcept { return call_; }

  explicit operator bool() const noexcept { return static_cast<bool>(call_); }

 private:
  template <class F>
  static bool is_empty(const F& function) noexcept {
    if constexpr (std::is_pointer_v<F> || requires { function.operator bool(); })
      return !function;
    else
      return false;
  }

  std::function<void()> call_;
};

struct ThreadPoolOptions {
  /// Called in each thread before its first task. If it throws, the tasks get that.
  ThreadInitializer initializer = {};
};

/// A pool of threads: functions may have captures, arguments and results may be of any type, nothing is
/// copied through a pipe, and nothing is survived that a thread does not survive. A task that runs cannot be
/// stopped. Movable; thread-safe but for moving and destruction.
class ThreadPool {
 public:
  /// Throws ValueError (threads below 1), OSError.
  explicit ThreadPool(int threads = process_cpu_count(), ThreadPoolOptions options = {})
      : core_(detail::make_thread_pool(threads, options.initializer.call())) {}
  ThreadPool(ThreadPool&&) noexcept = default;
  ThreadPool& operator=(ThreadPool&& other) noexcept {
    if (this != &other) detail::drop_thread_pool(std::exchange(core_, std::move(other.core_)));
    return *this;
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  /// As terminate().
  ~ThreadPool() { detail::drop_thread_pool(std::move(core_)); }

  // Options come first, as for Pool. Of them `stop` counts: once it is set, tasks that were not begun are not
  // run, and whoever waits gets CancelledError at once; one that runs goes on to its end. A time limit or
  // retries are a ValueError: a thread cannot be stopped, and does not die alone.

  /// Calls `f(args...)`, with copies of them, in a thread of the pool and waits for its result. Throws what f
  /// threw, or the initializer; ValueError (the pool is closed or terminated; options that a thread cannot
  /// keep; a null function), AssertionError (in another process than the pool's), CancelledError
  /// (options.stop; terminate()). Thread-safe. Python: `ThreadPool.apply`.
  template <detail::not_task_options F, class... Args>
  auto apply(F f, Args&&... args) {
    return apply_async(std::move(f), std::forward<Args>(args)...).get();
  }
  template <class F, class... Args>
  auto apply(TaskOptions options, F f, Args&&... args) {
    return apply_async(std::move(options), std::move(f), std::forward<Args>(args)...).get();
  }
  /// The same without waiting: an AsyncResult, whose get() throws what f or the initializer threw and
  /// CancelledError; the rest is thrown here. Python: `ThreadPool.apply_async`.
  template <detail::not_task_options F, class... Args>
  requires std::invocable<F&, std::decay_t<Args>...>
  auto apply_async(F f, Args&&... args) {
    return apply_async(TaskOptions{}, std::move(f), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  requires std::invocable<F&, std::decay_t<Args>...>
  auto apply_async(TaskOptions options, F f, Args&&... args) {
    using R = std::remove_cvref_t<std::invoke_result_t<F&, std::decay_t<Args>...>>;
    detail::require_function(f);
    auto job = std::make_shared<detail::ThreadJob<R>>(1, detail::callback_mark(core()));
    auto call = [f = std::move(f),
                 arguments = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)]() mutable
        -> std::invoke_result_t<F&, std::decay_t<Args>...> { return std::apply(f, std::move(arguments)); };
    run_all(options, job, [&] { post(job, 0, std::move(call)); });
    return job->one();
  }

  /// `f(x)` for each x, each of which is copied into its task, or moved where the range gives rvalues.
  /// `chunksize` tasks, 1 if none is said, are one thread's, one after the other.
  template <detail::not_task_options F, std::ranges::input_range Range>
  auto map(F f, Range&& inputs, std::optional<std::size_t> chunksize = {}) {
    return map_async(TaskOptions{}, std::move(f), std::forward<Range>(inputs), chunksize).get();
  }
  template <class F, std::ranges::input_range Range>
  auto map(TaskOptions options, F f, Range&& inputs, std::optional<std::size_t> chunksize = {}) {
    return map_async(std::move(options), std::move(f), std::forward<Range>(inputs), chunksize).get();
  }
  template <detail::not_task_options F, std::ranges::input_range Range>
  auto map_async(F f, Range&& inputs, std::optional<std::size_t> chunksize = {}) {
    return map_async(TaskOptions{}, std::move(f), std::forward<Range>(inputs), chunksize);
  }
  template <class F, std::ranges::input_range Range>
  auto map_async(TaskOptions options, F f, Range&& inputs, std::optional<std::size_t> chunksize = {}) {
    return submit_all(options, std::move(f), inputs, chunksize,
                      [](auto& function, auto& value) -> decltype(auto) {
                        return std::invoke(function, std::move(value));
                      });
  }
  /// The same where each input is a tuple (or pair, or array) of arguments.
  template <detail::not_task_options F, std::ranges::input_range Range>
  auto starmap(F f, Range&& inputs, std::optional<std::size_t> chunksize = {}) {
    return starmap_async(TaskOptions{}, std::move(f), std::forward<Range>(inputs), chunksize).get();
  }
  template <class F, std::ranges::input_range Range>
  auto starmap(TaskOptions options, F f, Range&& inputs, std::optional<std::size_t> chunksize = {}) {
    return starmap_async(std::move(options), std::move(f), std::forward<Range>(inputs), chunksize).get();
  }
  template <detail::not_task_options F, std::ranges::input_range Range>
  auto starmap_async(F f, Range&& inputs, std::optional<std::size_t> chunksize = {}) {
    return starmap_async(TaskOptions{}, std::move(f), std::forward<Range>(inputs), chunksize);
  }
  template <class F, std::ranges::input_range Range>
  auto starmap_async(TaskOptions options, F f, Range&& inputs, std::optional<std::size_t> chunksize = {}) {
    return submit_all(
        options, std::move(f), inputs, chunksize,
        [](auto& function, auto& value) -> decltype(auto) { return std::apply(function, std::move(value)); });
  }

  /// As Pool::imap: inputs are pulled as results are asked for.
  template <class F, std::ranges::input_range Range>
  auto imap(F f, Range&& inputs) {
    return ResultRange(imap_outcomes(std::move(f), std::forward<Range>(inputs), {.ordered = true}));
  }
  template <class F, std::ranges::input_range Range>
  auto imap_unordered(F f, Range&& inputs) {
    return ResultRange(imap_outcomes(std::move(f), std::forward<Range>(inputs), {.ordered = false}));
  }
  /// Of the options `ordered` and `task.stop` count; there are no chunks.
  template <class F, std::ranges::input_range Range>
  auto imap_outcomes(F f, Range&& inputs, OutcomeOptions options = {}) {
    using Value = std::ranges::range_value_t<Range>;
    using R = std::remove_cvref_t<std::invoke_result_t<F&, Value>>;
    using View = decltype(detail::view_of(std::forward<Range>(inputs)));
    detail::check_thread_options(options.task);
    detail::require_function(f);
    detail::check_running(core());
    return OutcomeRange<R>(std::make_unique<detail::ThreadStream<R, F, View>>(
        core_, std::move(f), detail::view_of(std::forward<Range>(inputs)), options.ordered,
        options.task.stop));
  }

  /// No more tasks are taken; the threads end when all are done.
  void close() { detail::close(core()); }
  /// Tasks that were not begun answer CancelledError; waits for those that run. Throws CancelledError when
  /// that wait was given up; the pool ends all the same.
  void terminate(StopToken stop = {}) { detail::terminate(core(), stop); }
  /// Waits until the threads have ended and the callbacks of their results have returned. An imap that was
  /// not read to its end is fed with the rest of its inputs first. Throws ValueError before close() or
  /// terminate(), CancelledError.
  void join(StopToken stop = {}) { detail::join(core(), infinite, stop); }
  /// The same for at most `timeout`; true if they have ended.
  bool join(Duration timeout, StopToken stop = {}) { return detail::join(core(), timeout, stop); }

 private:
  [[nodiscard]] detail::ThreadPoolCore& core() const {
    if (core_ == nullptr) throw ValueError("the pool was moved from");
    return *core_;
  }

  template <class R, class Post>
  void run_all(const TaskOptions& options, const std::shared_ptr<detail::ThreadJob<R>>& job,
               Post post_tasks) {
    detail::check_thread_options(options);
    detail::check_running(core());
    job->watch_for_cancellation(options.stop);
    post_tasks();
  }

  template <class R, class Call>
  void post(const std::shared_ptr<detail::ThreadJob<R>>& job, std::size_t index, Call call) {
    auto kept = std::make_shared<Call>(std::move(call));
    detail::post(core(), [job, index, kept](std::exception_ptr refused) { job->run(index, *kept, refused); });
  }

  template <class F, class Range, class Invoke>
  auto submit_all(const TaskOptions& options, F f, Range& inputs, std::optional<std::size_t> chunksize,
                  Invoke invoke) {
    using Value = std::ranges::range_value_t<Range>;
    using R = std::remove_cvref_t<std::invoke_result_t<Invoke&, F&, Value&>>;
    detail::require_function(f);
    const std::size_t step = detail::checked_chunksize(chunksize.value_or(1));
    auto chunks = detail::thread_chunks<Value>(inputs, step);
    auto job = std::make_shared<detail::ThreadJob<R>>(chunks.count, detail::callback_mark(core()));
    const auto function = std::make_shared<F>(std::move(f));
    run_all(options, job, [&] {
      std::size_t first = 0;
      for (auto& chunk : chunks.list) {
        const std::size_t size = chunk->size();
        detail::post(core(), [job, function, invoke, first, chunk](std::exception_ptr refused) {
          std::size_t index = first;
          for (auto& input : *chunk) {
            auto call = [&]() -> decltype(auto) { return invoke(*function, input.value); };
            job->run(index++, call, refused);
          }
        });
        chunk.reset();  // it ends with its task
        first += size;
      }
    });
    return job->list();
  }

  std::shared_ptr<detail::ThreadPoolCore> core_;
};

}  // namespace multiprocessing
