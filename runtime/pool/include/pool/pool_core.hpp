// The untyped half of a pool: who works for it, which chunk is in whose hands, and what happens when a worker
// dies. The assignment is the pool's alone: workers share nothing, so that the death of one concerns nobody
// but the task in its hands.
//
// One mutex guards all of it. It is held for moments: never while a process is started, while anything
// blocks, or while a job is told of a result. The reactor's thread reads results and notices deaths; a thread
// that lives only as long as workers are missing starts them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <multiprocessing/detail/pool_core.hpp>
#include <multiprocessing/future.hpp>
#include <multiprocessing/stop_token.hpp>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "contract/clock.hpp"
#include "launch/identity.hpp"
#include "pool/pool_job.hpp"
#include "pool/pool_worker.hpp"
#include "support/attention.hpp"
#include "support/callbacks.hpp"

namespace multiprocessing::detail {

class PoolCore : public ResultSource, public std::enable_shared_from_this<PoolCore> {
 public:
  explicit PoolCore(PoolSettings settings);
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;
  ~PoolCore() override;

  /// Once, before anything else. Throws CancelledError.
  void start(const StopToken& stop);
  /// Throws as check_running().
  void submit(const std::shared_ptr<runtime::PoolJob>& job);
  /// A job that was submitted has chunks again.
  void more(const std::shared_ptr<runtime::PoolJob>& job);
  /// The job is over: what was not begun is dropped, and workers that run its tasks are stopped.
  void cancel(runtime::PoolJob& job);
  /// The job is over by itself.
  void forget(const runtime::PoolJob& job);

  void check_owner() const;
  void check_running() const;
  void close();
  /// As close(), at the end of the program: no inputs are pulled any more.
  void close_for_good();
  /// With `wait` it returns when all workers have ended.
  void terminate(bool wait);
  /// After terminate(). Throws CancelledError.
  void wait_for_end(const StopToken& stop);
  /// Until the workers have ended and callbacks have returned.
  bool join(Duration timeout, const StopToken& stop);
  /// Without the callbacks, for which the end of the program waits for a while only.
  bool join_workers(platform::Deadline deadline, const StopToken& stop);
  [[nodiscard]] int size() const noexcept { return settings_.processes; }
  /// How many chunks keep all workers busy: at most 130 for each, as docs/pools.md says.
  [[nodiscard]] std::size_t appetite() const;
  /// Cancels jobs that no worker has begun, and of the others what none has.
  void cancel_waiting();
  /// Ends the workers at once, and every task with BrokenProcessPool.
  void break_up(bool kill);
  void look(const std::function<bool()>& found, Duration timeout) noexcept override;
  /// What join() waits for, of its results.
  [[nodiscard]] const std::shared_ptr<CallbackMark>& callbacks() const noexcept { return callbacks_; }
  [[nodiscard]] bool owned() const noexcept;
  [[nodiscard]] bool is_executor() const noexcept { return settings_.executor; }
  /// The failure of a job for which there is no memory.
  [[nodiscard]] const std::shared_ptr<const TaskFailure>& out_of_memory() const noexcept {
    return out_of_memory_;
  }

 private:
  using Worker = runtime::PoolWorker;
  using Assignment = runtime::Assignment;
  using Assignments = runtime::Assignments;
  enum class Phase : std::uint8_t { running, closed, terminated };
  /// What jobs are told once the mutex is given back.
  struct Delivery {
    std::shared_ptr<runtime::PoolJob> job;
    std::uint64_t first = 0;
    std::uint32_t count = 0;
    std::vector<std::byte> bytes;
    std::shared_ptr<const TaskFailure> failure;
  };
  struct Deliveries {
    std::vector<Delivery> results;
    std::vector<std::string> log;
    bool took_frame = false;  ///< a worker may be free, whether or not anybody wants the result
    /// A list: there was no memory to hand out a chunk of it, or to say what became of one.
    std::shared_ptr<runtime::PoolJob> starved;
  };
  struct Function {
    std::uint32_t number;
    std::vector<std::byte> record;
  };

  [[noreturn]] void refuse() const;

  // Assignment; the mutex is held.
  void enqueue(const std::shared_ptr<runtime::PoolJob>& job);
  void dispatch(Deliveries& deliveries);
  /// What the caller does last under the mutex. It is given back while something is written, so that who has
  /// the answer to it, and was woken by it, does not sleep again for the mutex.
  void dispatch_and_write(Deliveries& deliveries, std::unique_lock<std::mutex>& lock);
  void hand_out(Deliveries& deliveries);
  /// The chunks that every worker may have one more of: whether any may have more than `level`.
  bool hand_out(std::size_t level, Deliveries& deliveries);
  void write_out();
  void write_unlocked(const std::shared_ptr<Worker>& worker, std::unique_lock<std::mutex>& lock);
  [[nodiscard]] bool dispatch_later();  ///< false: there is no timer to be had
  void dispatch_now_that_it_is_later();
  /// The next chunk; of `only`, if that is not null. Throws std::bad_alloc: of the first in the queue.
  bool take_next(Assignments& next, const runtime::PoolJob* only);
  bool take_next_of(const std::shared_ptr<runtime::PoolJob>& job, Assignments& next);
  void done_with_first(Assignments& done) noexcept;
  [[nodiscard]] bool next_may_run_behind(const Assignment& last) const;
  void assign(Worker& worker, Assignments& next);  ///< takes the first, unless it throws
  const Function& function_of(const runtime::PoolJob& job);
  void start_clock(const std::shared_ptr<Worker>& worker);
  void begin_head(const std::shared_ptr<Worker>& worker);
  void set_timer(const std::shared_ptr<Worker>& worker);
  void retire_if_done(Worker& worker);
  void end_idle_workers();

  // Results; the mutex is held.
  bool read_results(const std::shared_ptr<Worker>& worker, Deliveries& deliveries);
  bool read_frames(const std::shared_ptr<Worker>& worker, Deliveries& deliveries, int at_once);
  bool take_frame(const std::shared_ptr<Worker>& worker, Deliveries& deliveries);
  bool take_result(const std::shared_ptr<Worker>& worker, Deliveries& deliveries);
  static void keep_result(Worker& worker, std::uint32_t count, Deliveries& deliveries) noexcept;

  // Without the mutex.
  void deliver(Deliveries& deliveries);
  bool ends_job(Delivery& delivery);
  bool collect();
  void fail_first_starved(Deliveries& deliveries);

  // Workers.
  [[nodiscard]] std::shared_ptr<Worker> start_worker(const StopToken& stop);
  void add_worker(const std::shared_ptr<Worker>& worker);
  [[nodiscard]] int missing() const;
  void replace_missing();
  void replace_now_that_it_is_later();
  void keep_up();
  /// Whoever gives the mutex back calls abort_if_broken() then.
  void note_start_failure(std::shared_ptr<const TaskFailure> failure);
  void abort_if_broken();
  void break_without_memory() noexcept;
  void doom(const std::shared_ptr<Worker>& worker);
  void give_up(const std::shared_ptr<Worker>& worker);
  void cannot_write(const std::shared_ptr<Worker>& worker);
  bool on_input(const std::shared_ptr<Worker>& worker);
  void on_written(const std::shared_ptr<Worker>& worker, std::uint64_t number);
  void on_write_failed(const std::shared_ptr<Worker>& worker);
  bool on_ended(const std::shared_ptr<Worker>& worker);
  enum class Leave : std::uint8_t { taken, now, not_yet };
  /// Reads what an ended worker has left, and takes it out; not_yet: it has not quite ended.
  Leave take_leave(const std::shared_ptr<Worker>& worker, Deliveries& deliveries);
  static bool more_to_read(Worker& worker);
  static bool has_surely_ended(Worker& worker);
  void on_timer(const std::shared_ptr<Worker>& worker, platform::Deadline set_for);
  void time_over(const std::shared_ptr<Worker>& worker, platform::Deadline set_for, Deliveries& deliveries);
  void let_go(Worker& worker);
  void note_let_go();
  [[nodiscard]] bool has_ended() const noexcept;
  [[nodiscard]] bool workers_have_ended() const noexcept;
  void drop_initializer() noexcept;
  void take_back(Worker& worker, Deliveries& deliveries);
  void hand_last_out_again(Assignments& sent) noexcept;
  static bool was_not_read(const Worker& worker, Assignment& head, bool alone) noexcept;
  void blame(Worker& worker, Assignment& head, Deliveries& deliveries);
  /// The item that it is at has failed: `make` says why. Without memory its job fails as a whole.
  template <class Make>
  static void answer(Assignment& head, Deliveries& deliveries, Make make) noexcept {
    const auto task = head.chunk.first + head.done;
    try {
      deliveries.results.push_back({head.job, task, 1, {}, std::make_shared<TaskFailure>(make(task))});
    } catch (const std::bad_alloc&) {
      head.job->starve(deliveries.starved);
    }
    ++head.done;
    head.kills = head.returns = 0;
  }
  /// What `make` says, or that there is no memory to say it.
  template <class Make>
  [[nodiscard]] std::shared_ptr<const TaskFailure> failure_of(Make make) const noexcept {
    try {
      return std::make_shared<TaskFailure>(make());
    } catch (const std::bad_alloc&) {
      return out_of_memory_;
    }
  }
  /// Calls it in the reactor's thread, if the pool is there then. False: there is no timer to be had.
  [[nodiscard]] bool later(std::chrono::nanoseconds pause, void (PoolCore::*then)()) noexcept;
  void abort_all(const std::shared_ptr<const TaskFailure>& failure);
  [[nodiscard]] std::shared_ptr<runtime::PoolJob> take_open();  ///< null if there is none

  const std::shared_ptr<CallbackMark> callbacks_ = std::make_shared<CallbackMark>();
  PoolSettings settings_;  ///< the initializer goes with the last worker; nothing else changes
  const int owner_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable written_;  ///< a write without the mutex is over
  Phase phase_ = Phase::running;
  std::atomic<bool> looking_{false};  ///< somebody looks, and has attention_
  runtime::Attention attention_;
  std::vector<std::shared_ptr<Worker>> workers_;
  int starting_ = 0;
  int leaving_ = 0;   ///< workers that have ended and whose handles are still open
  int aborting_ = 0;  ///< how many threads are telling calls that they have failed
  bool keeping_up_ = false;
  StopSource enough_workers_;       ///< no start of a worker is waited for any more
  bool replacing_later_ = false;    ///< a timer will see to it
  bool nobody_replaces_ = false;    ///< there was no timer to be had either
  bool dispatching_later_ = false;  ///< a timer will see to it
  int start_failures_ = 0;          ///< in a row
  std::shared_ptr<const TaskFailure> broken_;
  /// Made while there is some.
  const std::shared_ptr<const TaskFailure> out_of_memory_ =
      std::make_shared<TaskFailure>(std::make_exception_ptr(std::bad_alloc()));
  std::uint64_t last_number_ = 0;
  Assignments again_;                                    ///< what was in the hands of workers that died
  Assignments spare_;                                    ///< empty ones, so that short tasks cost no memory
  std::deque<std::shared_ptr<runtime::PoolJob>> queue_;  ///< jobs that have chunks
  std::map<const runtime::PoolJob*, std::weak_ptr<runtime::PoolJob>> open_;
  std::map<std::pair<const void*, const void*>, Function> functions_;
};

}  // namespace multiprocessing::detail
