// What ThreadPool's templates are made of: the threads, and results that stay where they are.
#pragma once

#include <multiprocessing/async_result.hpp>
#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/pool_core.hpp>
#include <multiprocessing/detail/task_range.hpp>
#include <multiprocessing/future.hpp>
#include <multiprocessing/stop_token.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::detail {

class ThreadPoolCore;

/// Throws ValueError if they want of a thread what only a process can do.
MULTIPROCESSING_EXPORT void check_thread_options(const TaskOptions& options);

/// What a thread calls: with why the task is not to be run, or null.
using ThreadTask = std::function<void(std::exception_ptr refused)>;

/// Throws ValueError, OSError.
[[nodiscard]] MULTIPROCESSING_EXPORT std::shared_ptr<ThreadPoolCore> make_thread_pool(
    int threads, std::function<void()> initializer);
MULTIPROCESSING_EXPORT void drop_thread_pool(std::shared_ptr<ThreadPoolCore> pool) noexcept;
/// Throws ValueError (closed or terminated), AssertionError (in another process).
MULTIPROCESSING_EXPORT void check_running(ThreadPoolCore& pool);
/// In order. After terminate() the task is refused at once, in this thread.
MULTIPROCESSING_EXPORT void post(ThreadPoolCore& pool, ThreadTask task);
MULTIPROCESSING_EXPORT void close(ThreadPoolCore& pool);
MULTIPROCESSING_EXPORT void terminate(ThreadPoolCore& pool, const StopToken& stop);
/// True when all threads have ended. Throws ValueError unless closed or terminated, CancelledError.
MULTIPROCESSING_EXPORT bool join(ThreadPoolCore& pool, Duration timeout, const StopToken& stop);
/// Whether this is the process that made it.
[[nodiscard]] MULTIPROCESSING_EXPORT bool owned(const ThreadPoolCore& pool) noexcept;
/// What join() waits for, of its results.
[[nodiscard]] MULTIPROCESSING_EXPORT std::shared_ptr<CallbackMark> callback_mark(
    const ThreadPoolCore& pool) noexcept;
[[nodiscard]] MULTIPROCESSING_EXPORT std::size_t thread_count(const ThreadPoolCore& pool) noexcept;
/// Something whose inputs are pulled on demand: the threads do not end while it has some.
class MULTIPROCESSING_EXPORT LazyInputs {
 public:
  LazyInputs() = default;
  LazyInputs(const LazyInputs&) = delete;
  LazyInputs& operator=(const LazyInputs&) = delete;
  virtual ~LazyInputs();
  /// Pulls what is left; false if the time was over before, or a stop was requested. In any thread.
  virtual bool drain(const TimeLeft& left, const StopToken& stop) = 0;
};
/// Throws as check_running(). end_inputs() takes it back.
MULTIPROCESSING_EXPORT void begin_inputs(ThreadPoolCore& pool, std::shared_ptr<LazyInputs> inputs);
MULTIPROCESSING_EXPORT void end_inputs(ThreadPoolCore& pool, const LazyInputs& inputs) noexcept;

/// The inputs of a call, a list for each task of the threads.
template <class Value>
struct ThreadChunks {
  struct Input {  // a std::vector<bool> would not hold one
    Value value;
  };
  std::vector<std::shared_ptr<std::vector<Input>>> list;
  std::size_t count = 0;
};
template <class Value, class Range>
ThreadChunks<Value> thread_chunks(Range& inputs, std::size_t chunksize) {
  ThreadChunks<Value> chunks;
  for (auto&& input : inputs) {
    if (chunks.count++ % chunksize == 0)
      chunks.list.push_back(std::make_shared<std::vector<typename ThreadChunks<Value>::Input>>());
    chunks.list.back()->push_back({Value(std::forward<decltype(input)>(input))});
  }
  return chunks;
}

/// The results of one call of a ThreadPool.
template <class R>
class ThreadJob : public std::enable_shared_from_this<ThreadJob<R>> {
 public:
  ThreadJob(std::size_t count, std::shared_ptr<CallbackMark> callbacks)
      : core_(std::make_shared<FutureCore>()),
        results_(std::make_shared<std::vector<std::optional<ResultValue<R>>>>(count)),
        left_(count) {
    core_->set_callback_mark(std::move(callbacks));
    if (count == 0) core_->set_result({});
  }

  /// Once it is stopped, what was not begun is not run, and nobody waits for the rest.
  void watch_for_cancellation(const StopToken& stop) {
    core_->on_cancel([weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) self->cancelled_ = true;
    });
    if (!stop.stop_possible()) return;
    stop_.emplace(stop, [weak = std::weak_ptr(core_)] {
      if (const auto core = weak.lock()) core->cancel();
    });
  }

  template <class Call>
  void run(std::size_t index, Call& call, std::exception_ptr refused) {
    if (refused == nullptr && !cancelled_) try {
        if constexpr (std::is_void_v<R>) {
          call();
          (*results_)[index].emplace();
        } else {
          (*results_)[index].emplace(call());
        }
      } catch (...) {
        refused = std::current_exception();
      }
    if (refused != nullptr && !failed_.exchange(true)) failure_ = refused;
    if (--left_ > 0) return;
    if (failed_)
      core_->set_exception(failure_);
    else
      core_->set_result({});
  }

  [[nodiscard]] AsyncResult<R> one() const {
    return AsyncResult<R>(core_, [results = results_]() -> R {
      if constexpr (!std::is_void_v<R>) return give(results->front());
    });
  }
  [[nodiscard]] auto list() const {
    if constexpr (std::is_void_v<R>) {
      return AsyncResult<void>(core_, [] {});
    } else {
      return AsyncResult<std::vector<R>>(core_, [results = results_] {
        std::vector<R> all;
        all.reserve(results->size());
        for (auto& each : *results) all.push_back(give(each));
        return all;
      });
    }
  }

 private:
  /// A copy, since it may be asked for again; what cannot be copied is given away.
  static ResultValue<R> give(std::optional<ResultValue<R>>& result) {
    if constexpr (std::copy_constructible<ResultValue<R>>)
      return *result;
    else
      return *std::move(result);
  }

  std::shared_ptr<FutureCore> core_;
  std::shared_ptr<std::vector<std::optional<ResultValue<R>>>> results_;
  std::atomic<std::size_t> left_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;
  std::optional<StopCallback> stop_;
};

}  // namespace multiprocessing::detail
