// Executors, and waiting for many futures. Python: `concurrent.futures`.
//
//   multiprocessing::ProcessPoolExecutor executor(4);
//   multiprocessing::Future<int> future = executor.submit(square, 7);
//   for (auto& done : multiprocessing::futures::as_completed(futures)) use(done.result());
#pragma once

#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/submit.hpp>
#include <multiprocessing/detail/zipped.hpp>
#include <multiprocessing/duration.hpp>
#include <multiprocessing/future.hpp>
#include <multiprocessing/pool.hpp>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing {

/// For ProcessPoolExecutor::map().
struct MapOptions {
  Duration timeout = infinite;  ///< from the call until the last result is asked for
  std::size_t chunksize = 1;    ///< tasks that travel together; see OutcomeOptions
  std::size_t buffersize = 0;   ///< chunks ahead of the results that were taken; 0: what keeps workers busy
  StopToken stop = {};          ///< cancels the tasks that are not done, also while they run
};

/// Results in the order of their inputs, within the time that the call was given. What a task threw comes
/// from begin() or ++, and ends the loop, as in Python; next() goes on behind it.
template <class R>
class MapResults {
 public:
  using value_type = typename ResultRange<R>::value_type;
  MapResults(ResultRange<R> results, Duration timeout) : results_(std::move(results)), deadline_(timeout) {}

  /// The next result; nullopt at the end. Throws what its task threw, TimeoutError, CancelledError.
  std::optional<value_type> next(StopToken stop = {}) { return results_.next(deadline_.remaining(), stop); }

  class iterator {
   public:
    using value_type = MapResults::value_type;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    explicit iterator(MapResults& results) : results_(&results) { ++*this; }
    iterator(iterator&&) noexcept = default;
    iterator& operator=(iterator&&) noexcept = default;
    value_type& operator*() const noexcept { return *results_->current_; }
    value_type* operator->() const noexcept { return &*results_->current_; }
    iterator& operator++() {
      results_->current_.reset();
      results_->current_ = results_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept { return i.at_end(); }

   private:
    [[nodiscard]] bool at_end() const noexcept { return !results_->current_.has_value(); }
    MapResults* results_;
  };
  iterator begin() { return iterator(*this); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  ResultRange<R> results_;
  detail::TimeLeft deadline_;
  std::optional<value_type> current_;
};

/// A pool that is used through futures. As Pool, but its workers are not daemonic and may have children; a
/// worker that dies is replaced here, too, and costs its task alone (Python gives up the whole executor);
/// BrokenProcessPool is thrown when no worker can begin. Python: `concurrent.futures.ProcessPoolExecutor`.
class ProcessPoolExecutor {
 public:
  /// Starts the workers and throws as Pool does.
  explicit ProcessPoolExecutor(int max_workers = process_cpu_count(), PoolOptions options = {})
      : core_(detail::make_pool({.processes = max_workers,
                                 .initializer = std::move(options.initializer),
                                 .maxtasksperchild = options.maxtasksperchild,
                                 .retries = options.retries,
                                 .start_method = options.context.method(),
                                 .executor = true,
                                 .stop = std::move(options.stop)})) {}
  ProcessPoolExecutor(ProcessPoolExecutor&&) noexcept = default;
  ProcessPoolExecutor& operator=(ProcessPoolExecutor&& other) noexcept {
    if (this != &other) {
      detail::finish_executor(std::exchange(core_, std::move(other.core_)));
    }
    return *this;
  }
  ProcessPoolExecutor(const ProcessPoolExecutor&) = delete;
  ProcessPoolExecutor& operator=(const ProcessPoolExecutor&) = delete;
  /// As shutdown(): waits for all tasks.
  ~ProcessPoolExecutor() { detail::finish_executor(std::move(core_)); }

  /// Runs `f(args...)` in a worker. Throws RuntimeError after shutdown(), BrokenProcessPool,
  /// SerializationError.
  template <detail::not_task_options F, class... Args>
  auto submit(F f, Args&&... args) -> Future<detail::task_result_t<F, Args...>> {
    return submit(TaskOptions{}, std::move(f), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  auto submit(TaskOptions options, F f, Args&&... args) -> Future<detail::task_result_t<F, Args...>> {
    return Future<detail::task_result_t<F, Args...>>(
        detail::submit_task(core(), std::move(options), std::move(f), std::forward<Args>(args)...));
  }

  /// `f(x)` for each x, results in their order; of several ranges `f(a, b, ...)` of their elements side by
  /// side, as long as the shortest. Inputs are pulled as results are taken.
  template <class F, std::ranges::input_range... Ranges>
  requires(sizeof...(Ranges) > 0 &&
           !std::same_as<std::remove_cvref_t<F>, MapOptions>) auto map(F f, Ranges&&... inputs) {
    return map(MapOptions{}, std::move(f), std::forward<Ranges>(inputs)...);
  }
  template <class F, std::ranges::input_range Range>
  auto map(MapOptions options, F f, Range&& inputs) {
    using Passing = detail::AsArgument<F, std::ranges::range_reference_t<Range>>;
    return map_passing<Passing>(options, f, std::forward<Range>(inputs));
  }
  template <class F, std::ranges::input_range... Ranges>
  requires(sizeof...(Ranges) > 1) auto map(MapOptions options, F f, Ranges&&... inputs) {
    detail::Zipped zipped(detail::view_of(std::forward<Ranges>(inputs))...);
    using Passing = detail::AsArguments<F, std::ranges::range_reference_t<decltype(zipped)>>;
    return map_passing<Passing>(options, f, std::move(zipped));
  }

  /// No more tasks are taken. With `wait` it returns when all are done, the workers have ended, and callbacks
  /// have returned; with `cancel_futures` those that no worker has begun are cancelled. Any number of times.
  /// Throws CancelledError when waiting was given up; the workers end all the same when all is done.
  void shutdown(bool wait = true, bool cancel_futures = false, StopToken stop = {}) {
    detail::close_pool(*core());
    if (cancel_futures) detail::cancel_waiting_tasks(*core());
    if (wait) detail::join_pool(*core(), infinite, stop);
  }
  /// Ends the workers at once; tasks that are not done answer BrokenProcessPool. Python 3.14.
  void terminate_workers() { detail::break_executor(*core(), false); }
  /// The same by kill(). Python 3.14.
  void kill_workers() { detail::break_executor(*core(), true); }

 private:
  [[nodiscard]] const std::shared_ptr<detail::PoolCore>& core() const {
    if (core_ == nullptr) throw RuntimeError("the executor was moved from");
    return core_;
  }
  template <class Passing, class F, class Range>
  auto map_passing(const MapOptions& options, const F& f, Range&& inputs) {
    return MapResults(ResultRange(detail::open_stream<Passing>(core(), f, std::forward<Range>(inputs),
                                                               TaskOptions{.stop = options.stop}, true,
                                                               options.chunksize, options.buffersize)),
                      options.timeout);
  }

  std::shared_ptr<detail::PoolCore> core_;
};

namespace detail {

/// In the order in which they come first.
template <class F, class Range>
std::vector<F> each_once(const Range& futures) {
  std::vector<F> all;
  std::set<const FutureCore*> seen;
  for (const auto& future : futures)
    if (seen.insert(future.core().get()).second) all.push_back(future);
  return all;
}

}  // namespace detail

namespace futures {

enum class ReturnWhen { all_completed, first_completed, first_exception };

/// What wait() answers: which are done, and which are not, each in the order in which they were given, and
/// once.
template <class F>
struct DoneAndNotDone {
  std::vector<F> done;
  std::vector<F> not_done;
};

/// Waits for some futures. first_exception: returns when one has failed (one that was cancelled has not), or
/// all are done. Throws CancelledError. Python: `concurrent.futures.wait`.
template <std::ranges::forward_range Range>
auto wait(const Range& futures, Duration timeout = infinite,
          ReturnWhen return_when = ReturnWhen::all_completed, StopToken stop = {}) {
  using F = std::ranges::range_value_t<Range>;
  const auto signal = std::make_shared<detail::DoneSignal>();
  std::vector<F> all = detail::each_once<F>(futures);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].core()->when_done(signal, i);
  detail::TimeLeft left(timeout);
  for (std::size_t done = 0; done < all.size(); ++done) {
    const auto next = signal->next(left.remaining(), stop);
    if (!next || return_when == ReturnWhen::first_completed) break;
    if (return_when == ReturnWhen::first_exception && all[*next].core()->failed()) break;
  }
  DoneAndNotDone<F> answer;
  for (auto& future : all) (future.done() ? answer.done : answer.not_done).push_back(std::move(future));
  return answer;
}

/// The futures as they are done, each once. An input range that is gone through once. Python:
/// `concurrent.futures.as_completed`.
template <class F>
class Completed {
 public:
  Completed(std::vector<F> futures, Duration timeout, StopToken stop)
      : futures_(std::move(futures)),
        left_(timeout),
        stop_(std::move(stop)),
        signal_(std::make_shared<detail::DoneSignal>()) {
    for (std::size_t i = 0; i < futures_.size(); ++i) futures_[i].core()->when_done(signal_, i);
  }
  /// Null at the end. Throws TimeoutError, CancelledError.
  F* next() { return next(stop_); }
  F* next(const StopToken& stop) {
    if (given_ == futures_.size()) return nullptr;
    const auto index = signal_->next(left_.remaining(), stop);
    if (!index)
      throw TimeoutError(std::to_string(futures_.size() - given_) + " futures of " +
                         std::to_string(futures_.size()) + " are not done within the time");
    ++given_;
    return &futures_[*index];
  }

  class iterator {
   public:
    using value_type = F;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    explicit iterator(Completed& range) : range_(&range) { ++*this; }
    iterator(iterator&&) noexcept = default;
    iterator& operator=(iterator&&) noexcept = default;
    F& operator*() const noexcept { return *current_; }
    F* operator->() const noexcept { return current_; }
    iterator& operator++() {
      current_ = range_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept {
      return i.current_ == nullptr;
    }

   private:
    Completed* range_;
    F* current_ = nullptr;
  };
  iterator begin() { return iterator(*this); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  std::vector<F> futures_;
  detail::TimeLeft left_;
  StopToken stop_;
  std::shared_ptr<detail::DoneSignal> signal_;
  std::size_t given_ = 0;
};

template <std::ranges::forward_range Range>
auto as_completed(const Range& futures, Duration timeout = infinite, StopToken stop = {}) {
  using F = std::ranges::range_value_t<Range>;
  return Completed<F>(detail::each_once<F>(futures), timeout, std::move(stop));
}

}  // namespace futures
}  // namespace multiprocessing
