// Pool: processes that wait for work. Python: `multiprocessing.Pool`.
//
//   multiprocessing::Pool pool(4);
//   std::vector<int> squares = pool.map(square, numbers);
//   for (auto& r : pool.imap_outcomes(parse_untrusted, files))   // a crash costs one file
//     r ? show(*r) : skip(files[r.index()], r.error());
//
// A worker that dies is replaced. Its task ends with WorkerDied, or is run again if `retries` allows it; a
// task that has killed `retries + 1` workers is given up, alone. No other task is touched.
#pragma once

#include <multiprocessing/async_result.hpp>
#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/pool_core.hpp>
#include <multiprocessing/detail/submit.hpp>
#include <multiprocessing/detail/task_range.hpp>
#include <multiprocessing/outcome.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/task.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace multiprocessing {

/// Which start method a pool's workers have: a name, or a Context.
class PoolContext {
 public:
  /// The one in force when the pool is made.
  PoolContext() = default;
  PoolContext(const char* method) : method_(method) {}
  PoolContext(std::string_view method) : method_(method) {}
  PoolContext(std::string method) : method_(std::move(method)) {}
  template <class Context>
  requires requires(const Context& context) { context.start_method_name(); }
  PoolContext(const Context& context) : method_(context.start_method_name()) {}
  [[nodiscard]] const std::string& method() const noexcept { return method_; }

 private:
  std::string method_;
};

/// Stands for Python's keyword arguments.
struct PoolOptions {
  /// Called in each worker before its first task: `{f, args...}`. If it throws or ends the worker that is
  /// tried a few times; then all tasks, and those to come, get that error.
  Task initializer = {};
  /// A worker ends after so many chunks, and another takes its place; at least 1.
  std::optional<std::size_t> maxtasksperchild = {};
  /// How often a task is run again whose worker died of it.
  unsigned retries = 0;
  PoolContext context = {};
  /// Gives up starting the pool: its constructor throws CancelledError then, and no worker is left. Of no
  /// meaning later, when workers are replaced.
  StopToken stop = {};
};

/// For imap_outcomes().
struct OutcomeOptions {
  bool ordered = false;  ///< in the order of the inputs, else as they come
  /// Tasks that travel together. Where an input or a result of them cannot be read, because its load()
  /// throws, what lies behind it in the chunk, or in the message with the result, fails with the same
  /// exception.
  std::size_t chunksize = 1;
  TaskOptions task = {};
};

namespace detail {

template <class T>
concept not_task_options = !std::same_as<std::remove_cvref_t<T>, TaskOptions>;

}  // namespace detail

/// A pool of processes. Functions, arguments and results follow the rules of Process and call(): free
/// functions, captureless lambdas, function objects that can be serialized, `mp::fn<…>`; what cannot travel
/// does not compile; what cannot be written throws SerializationError in the caller, and the pool goes on.
/// A Connection cannot travel with a task or its result, inside aggregates and containers neither: that does
/// not compile, and is a SerializationError where only a class's own save() knows of it. Give it to the
/// initializer.
///
/// Movable. Thread-safe but for moving and destruction. Only the process that made it may use it: others get
/// AssertionError. Workers are daemonic: they are among active_children(), end with the program, and may have
/// no children of their own.
class Pool {
 public:
  /// Starts the workers, and blocks until their programs are loaded: for as long as a fork server that is
  /// stopped does not go on, unless options.stop is set. Throws ValueError (processes below 1),
  /// AssertionError (in a daemonic process), OSError, RuntimeError (freeze_support() was not called),
  /// CancelledError.
  explicit Pool(int processes = process_cpu_count(), PoolOptions options = {})
      : core_(detail::make_pool({.processes = processes,
                                 .initializer = std::move(options.initializer),
                                 .maxtasksperchild = options.maxtasksperchild,
                                 .retries = options.retries,
                                 .start_method = options.context.method(),
                                 .stop = std::move(options.stop)})) {}
  Pool(Pool&&) noexcept = default;
  Pool& operator=(Pool&& other) noexcept {
    if (this != &other) detail::drop_pool(std::exchange(core_, std::move(other.core_)));
    return *this;
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  /// As terminate(). Python: `__exit__`.
  ~Pool() { detail::drop_pool(std::move(core_)); }

  // ---- one task

  /// Runs `f(args...)` in a worker and waits for its result. Throws what it threw, WorkerDied, TimeoutError
  /// (options), ValueError (the pool is closed or terminated).
  template <detail::not_task_options F, class... Args>
  auto apply(F f, Args&&... args) -> detail::task_result_t<F, Args...> {
    return apply_async(TaskOptions{}, std::move(f), std::forward<Args>(args)...).get();
  }
  template <class F, class... Args>
  auto apply(TaskOptions options, F f, Args&&... args) -> detail::task_result_t<F, Args...> {
    return apply_async(std::move(options), std::move(f), std::forward<Args>(args)...).get();
  }
  /// The same without waiting.
  template <detail::not_task_options F, class... Args>
  auto apply_async(F f, Args&&... args) -> AsyncResult<detail::task_result_t<F, Args...>> {
    return apply_async(TaskOptions{}, std::move(f), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  auto apply_async(TaskOptions options, F f, Args&&... args)
      -> AsyncResult<detail::task_result_t<F, Args...>> {
    return AsyncResult<detail::task_result_t<F, Args...>>(
        submit_one(std::move(options), std::move(f), std::forward<Args>(args)...));
  }

  // ---- a task for each input; results in the order of the inputs

  /// `f(x)` for each x, in chunks of `chunksize` (none: four for each worker). Waits. Throws what the first
  /// task threw that failed, when all are done. A range of any length: its inputs are written down first.
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
    using Passing = detail::AsArgument<F, std::ranges::range_reference_t<Range>>;
    return submit_all<Passing>(std::move(options), f, inputs, chunksize);
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
    using Passing = detail::AsArguments<F, std::ranges::range_reference_t<Range>>;
    return submit_all<Passing>(std::move(options), f, inputs, chunksize);
  }

  // ---- lazily

  /// Results in the order of the inputs, pulled as they are asked for: the range may be infinite, or one that
  /// can be read once; a container that is given as an lvalue is looked into, not copied. Little is read
  /// ahead: what keeps the workers busy. A task that fails throws when its result is asked for, and the
  /// iteration goes on behind it.
  template <detail::not_task_options F, std::ranges::input_range Range>
  auto imap(F f, Range&& inputs, std::size_t chunksize = 1) {
    return imap(TaskOptions{}, std::move(f), std::forward<Range>(inputs), chunksize);
  }
  template <class F, std::ranges::input_range Range>
  auto imap(TaskOptions options, F f, Range&& inputs, std::size_t chunksize = 1) {
    return ResultRange(stream(std::move(f), std::forward<Range>(inputs),
                              {.ordered = true, .chunksize = chunksize, .task = std::move(options)}));
  }
  /// The same in the order in which they come.
  template <detail::not_task_options F, std::ranges::input_range Range>
  auto imap_unordered(F f, Range&& inputs, std::size_t chunksize = 1) {
    return imap_unordered(TaskOptions{}, std::move(f), std::forward<Range>(inputs), chunksize);
  }
  template <class F, std::ranges::input_range Range>
  auto imap_unordered(TaskOptions options, F f, Range&& inputs, std::size_t chunksize = 1) {
    return ResultRange(stream(std::move(f), std::forward<Range>(inputs),
                              {.ordered = false, .chunksize = chunksize, .task = std::move(options)}));
  }
  /// What became of each input: a result, or why there is none. Nothing is thrown on the way.
  template <class F, std::ranges::input_range Range>
  auto imap_outcomes(F f, Range&& inputs, OutcomeOptions options = {}) {
    return stream(std::move(f), std::forward<Range>(inputs), std::move(options));
  }

  // ---- the end

  /// No more tasks are taken; the workers end when all are done. Any number of times.
  void close() { detail::close_pool(core()); }
  /// Stops the workers; tasks that are not done answer CancelledError. Blocks until the workers have ended:
  /// one that does not end by itself is killed after a second. Throws CancelledError when waiting was given
  /// up; they are stopped all the same.
  void terminate(StopToken stop = {}) { detail::terminate_pool(core(), stop); }
  /// Waits until the workers have ended and the callbacks of their results have returned. An imap that was
  /// not read to its end is fed with the rest of its inputs first. Throws ValueError before close() or
  /// terminate(), CancelledError.
  void join(StopToken stop = {}) { detail::join_pool(core(), infinite, stop); }
  /// The same for at most `timeout`; true if they have ended.
  bool join(Duration timeout, StopToken stop = {}) { return detail::join_pool(core(), timeout, stop); }

  [[nodiscard]] int processes() const { return detail::pool_size(core()); }

 private:
  [[nodiscard]] detail::PoolCore& core() const {
    if (core_ == nullptr) throw ValueError("the pool was moved from");
    return *core_;
  }
  [[nodiscard]] const std::shared_ptr<detail::PoolCore>& shared_core() const {
    static_cast<void>(core());
    return core_;
  }

  template <class F, class... Args>
  std::shared_ptr<detail::FutureCore> submit_one(TaskOptions options, F f, Args&&... args) {
    return detail::submit_task(shared_core(), std::move(options), std::move(f), std::forward<Args>(args)...);
  }

  template <class Passing, class F, class Range>
  auto submit_all(TaskOptions options, const F& f, Range& inputs, std::optional<std::size_t> chunksize) {
    using List = typename detail::ListOf<detail::PassedResult<Passing>>::type;
    return AsyncResult<List>(
        detail::submit_range<Passing>(shared_core(), std::move(options), f, inputs, chunksize));
  }

  template <class F, class Range>
  auto stream(F f, Range&& inputs, OutcomeOptions options) {
    using Passing = detail::AsArgument<F, std::ranges::range_reference_t<Range>>;
    return detail::open_stream<Passing>(shared_core(), f, std::forward<Range>(inputs),
                                        std::move(options.task), options.ordered, options.chunksize, 0);
  }

  std::shared_ptr<detail::PoolCore> core_;
};

}  // namespace multiprocessing
