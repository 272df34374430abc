// What the templates of a pool need of its untyped half: to hand over chunks, and to get results as bytes.
#pragma once

#include <multiprocessing/detail/chunk.hpp>
#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/duration.hpp>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/future.hpp>
#include <multiprocessing/stop_token.hpp>
#include <multiprocessing/task.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace multiprocessing {

/// Comes first when a task wants more than a function and its arguments.
struct TaskOptions {
  /// Of one task, from the moment a worker begins it. Over time: that worker is stopped, TimeoutError.
  Duration timeout = infinite;
  /// How often a task is run again whose worker died of it; nullopt: as the pool says.
  std::optional<unsigned> retries = {};
  /// Cancels the task, also while it runs: its worker is stopped, CancelledError.
  StopToken stop = {};
};

namespace detail {

class PoolCore;

/// Why a task has no result. What stands for an exception that the worker threw is made when somebody asks.
/// Thread-safe.
class MULTIPROCESSING_EXPORT TaskFailure {
 public:
  explicit TaskFailure(std::exception_ptr exception);
  explicit TaskFailure(WorkerDied died);
  /// Made when somebody asks.
  explicit TaskFailure(std::function<std::exception_ptr()> make);
  /// The report of an exception in a worker.
  explicit TaskFailure(std::vector<std::byte> report);
  TaskFailure(const TaskFailure&) = delete;
  TaskFailure& operator=(const TaskFailure&) = delete;
  ~TaskFailure();
  [[nodiscard]] std::exception_ptr exception() const;
  /// Null unless it is one.
  [[nodiscard]] const WorkerDied* died() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct PoolSettings {
  int processes = 0;
  ::multiprocessing::Task initializer = {};
  std::optional<std::size_t> maxtasksperchild = {};
  unsigned retries = 0;
  std::string start_method = {};  ///< empty: the one in force
  /// An executor: its workers may have children of their own, and its failures are BrokenProcessPool.
  bool executor = false;
  StopToken stop = {};  ///< gives up the start of the first workers
};

/// Throws ValueError, OSError, AssertionError (a daemonic process), RuntimeError, CancelledError. Blocks
/// while it starts the workers.
[[nodiscard]] MULTIPROCESSING_EXPORT std::shared_ptr<PoolCore> make_pool(PoolSettings settings);
[[nodiscard]] MULTIPROCESSING_EXPORT int pool_size(const PoolCore& pool) noexcept;
MULTIPROCESSING_EXPORT void close_pool(PoolCore& pool);
MULTIPROCESSING_EXPORT void terminate_pool(PoolCore& pool, const StopToken& stop);
/// True when all workers have ended. Throws ValueError unless closed or terminated.
MULTIPROCESSING_EXPORT bool join_pool(PoolCore& pool, Duration timeout, const StopToken& stop);
/// Ends it without waiting for its tasks; does nothing in a forked copy of the process that made it.
MULTIPROCESSING_EXPORT void drop_pool(std::shared_ptr<PoolCore> pool) noexcept;
/// Of an executor: cancels what no worker has begun; ends its workers and all tasks.
MULTIPROCESSING_EXPORT void cancel_waiting_tasks(PoolCore& pool);
MULTIPROCESSING_EXPORT void break_executor(PoolCore& pool, bool kill);
/// Closes it and waits for its tasks; does nothing in a forked copy of the process that made it.
MULTIPROCESSING_EXPORT void finish_executor(std::shared_ptr<PoolCore> pool) noexcept;
/// Throws as submitting does: ValueError (closed or terminated), the error of a broken pool, AssertionError
/// (in another process).
MULTIPROCESSING_EXPORT void check_running(PoolCore& pool);

/// All tasks of a call whose inputs are known when it is made. `bytes` holds the items of each chunk one
/// after the other, `ends` where each chunk ends; each has `chunksize` items, the last perhaps fewer.
struct TaskList {
  ChunkFunction function;
  TaskOptions options;
  Encoder bytes;
  std::vector<std::size_t> ends;
  std::uint64_t count = 0;
  std::uint32_t chunksize = 1;
  bool is_list = true;  ///< its result is a list of those of its tasks, else that of its only task
};
[[nodiscard]] MULTIPROCESSING_EXPORT std::shared_ptr<FutureCore> submit_list(
    const std::shared_ptr<PoolCore>& pool, TaskList list);

/// The tasks of a call whose inputs come on demand, and their outcomes as they come. Used by one thread at a
/// time, but for what `feed` does, which join_pool() may call as well.
class MULTIPROCESSING_EXPORT TaskStream {
 public:
  /// Some results of chunks: `count` of them from task `first` on, or the failure of task `first`.
  struct Block {
    std::uint64_t first = 0;
    std::uint32_t count = 1;
    std::vector<std::byte> bytes;
    std::shared_ptr<const TaskFailure> failure;
  };
  /// What the inputs' side makes: a chunk, or the failure of one item.
  struct Chunk {
    std::uint32_t count = 0;
    Encoder bytes;
    std::shared_ptr<const TaskFailure> failure;
  };
  /// Pulls a chunk of inputs; nullopt at their end.
  using Feed = std::function<std::optional<Chunk>()>;

  /// `buffer`: how many chunks may be ahead of what was taken; 0: as many as keep the workers busy.
  TaskStream(std::shared_ptr<PoolCore> pool, ChunkFunction function, TaskOptions options, bool ordered,
             std::size_t buffer, Feed feed);
  TaskStream(const TaskStream&) = delete;
  TaskStream& operator=(const TaskStream&) = delete;
  /// What no worker has begun is not begun.
  ~TaskStream();

  /// Feeds the pool and waits; nullopt at the end. Throws TimeoutError, CancelledError, AssertionError; the
  /// stream goes on after each.
  [[nodiscard]] std::optional<Block> take(Duration timeout, const StopToken& stop);

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace detail
}  // namespace multiprocessing
