// The tasks of one call of a pool: where its chunks come from, and what becomes of their results.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <multiprocessing/detail/pool_core.hpp>
#include <span>
#include <utility>
#include <vector>

#include "contract/clock.hpp"

namespace multiprocessing::runtime {

/// What is handed to a worker at once.
struct TaskChunk {
  std::uint64_t first = 0;  ///< its first task's position in the call
  std::uint32_t count = 0;
  std::span<const std::byte> items;
  std::shared_ptr<const void> owner;  ///< of the bytes
};

class PoolJob : public std::enable_shared_from_this<PoolJob> {
 public:
  PoolJob(detail::ChunkFunction function, TaskOptions options)
      : function_(std::move(function)), options_(std::move(options)) {}
  PoolJob(const PoolJob&) = delete;
  PoolJob& operator=(const PoolJob&) = delete;
  virtual ~PoolJob() = default;

  [[nodiscard]] const detail::ChunkFunction& function() const noexcept { return function_; }
  [[nodiscard]] const TaskOptions& options() const noexcept { return options_; }
  /// Nobody wants more of its results, or all are there.
  [[nodiscard]] bool over() const noexcept { return over_.load(std::memory_order_acquire); }
  /// Whether several of its chunks may wait at one worker while another is idle.
  [[nodiscard]] virtual bool may_run_ahead() const noexcept { return true; }

  /// The next chunk, if there is one now. The pool's mutex is held.
  virtual bool next(TaskChunk& chunk) = 0;

  // Without the pool's mutex, in any thread; they run no function of the user's. What comes after the end is
  // ignored. True: with this it is over, and whoever waits for it has been told; who called forgets it.
  [[nodiscard]] virtual bool succeeded(std::uint64_t first, std::uint32_t count,
                                       std::vector<std::byte> bytes) = 0;
  [[nodiscard]] virtual bool failed(std::uint64_t task,
                                    std::shared_ptr<const detail::TaskFailure> failure) = 0;
  /// The failure of all that have no result yet.
  virtual bool abort(std::shared_ptr<const detail::TaskFailure> failure) = 0;
  /// Whether a worker was given some of it. The pool's mutex is held.
  [[nodiscard]] virtual bool begun() const noexcept = 0;
  /// As its owner would.
  virtual void cancel() = 0;
  /// Pulls what is left of the inputs, which may be the user's code, until the deadline or a stop.
  virtual void drain(platform::Deadline, const StopToken&) {}
  /// Of one that was begun: what no worker has is cancelled.
  virtual void cancel_rest() {}
  /// Nobody will pull its inputs any more.
  virtual void no_more_inputs() {}
  /// Its owner wants nothing of it any more, and whoever runs it is stopped.
  [[nodiscard]] bool cancelled() const noexcept { return cancelled_.load(std::memory_order_acquire); }
  void note_cancelled() noexcept { cancelled_.store(true, std::memory_order_release); }

  /// Whether it is in the pool's queue, where it is once. The pool's mutex is held.
  [[nodiscard]] bool queued() const noexcept { return queued_; }
  void set_queued(bool queued) noexcept { queued_ = queued; }

  // A list of jobs for which there is no memory. It needs none itself, and a job gets into one once. The
  // pool's mutex is held, but for next_starved(), which whoever has the list calls.

  void starve(std::shared_ptr<PoolJob>& list) noexcept {
    if (std::exchange(starved_, true)) return;
    next_starved_ = std::exchange(list, shared_from_this());
  }
  [[nodiscard]] std::shared_ptr<PoolJob> next_starved() noexcept { return std::move(next_starved_); }
  /// Whether anybody wants its chunks to be run.
  [[nodiscard]] bool wanted() const noexcept { return !over() && !starved_; }

 protected:
  void set_over() noexcept { over_.store(true, std::memory_order_release); }

 private:
  const detail::ChunkFunction function_;
  const TaskOptions options_;
  std::atomic<bool> over_{false};
  std::atomic<bool> cancelled_{false};
  bool queued_ = false;
  bool starved_ = false;
  std::shared_ptr<PoolJob> next_starved_;
};

}  // namespace multiprocessing::runtime
