// The threads behind ThreadPool.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <multiprocessing/detail/thread_pool.hpp>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/freeze_support.hpp>
#include <mutex>
#include <string>
#include <utility>

#include "contract/process.hpp"
#include "contract/system.hpp"
#include "launch/calls_under_way.hpp"
#include "launch/child_main.hpp"
#include "support/callbacks.hpp"
#include "support/deadline.hpp"
#include "support/errors.hpp"

namespace multiprocessing::detail {

class ThreadPoolCore : public std::enable_shared_from_this<ThreadPoolCore> {
 public:
  ThreadPoolCore(int threads, std::function<void()> initializer)
      : threads_(threads), owner_(platform::current_pid()), initializer_(std::move(initializer)) {
    // A program that starts no process need not have said freeze_support().
    if (runtime::exit_rule_is_due()) std::atexit(multiprocessing_at_exit);
    runtime::settle_results_at_exit();
  }

  void start() {
    for (int i = 0; i < threads_; ++i) {
      {
        const std::lock_guard lock(mutex_);
        ++running_;
      }
      const auto begun = platform::run_in_background([self = shared_from_this()] { self->run(); });
      if (begun) continue;
      {
        const std::lock_guard lock(mutex_);
        --running_;
      }
      end(StopToken());
      runtime::throw_os_error(begun.error(), "a pool's thread");
    }
  }

  void check_running() {
    check_owner();
    const std::lock_guard lock(mutex_);
    if (phase_ != Phase::running) refuse();
  }

  void post(ThreadTask task) {
    {
      const std::lock_guard lock(mutex_);
      if (phase_ != Phase::terminated && running_ > 0) {
        tasks_.push_back(std::move(task));
        changed_.notify_one();
        return;
      }
    }
    task(refusal());
  }

  void close() {
    check_owner();
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::running) phase_ = Phase::closed;
    changed_.notify_all();
  }

  void terminate(const StopToken& stop) {
    check_owner();
    end(stop);
  }

  bool join(Duration timeout, const StopToken& stop) {
    check_owner();
    std::vector<std::shared_ptr<LazyInputs>> open;
    {
      const std::lock_guard lock(mutex_);
      if (phase_ == Phase::running)
        throw ValueError("join(): the pool is still running; close or terminate it");
      // After terminate() nobody works through them, and they may be without end.
      if (phase_ == Phase::closed)
        for (const auto& [key, weak] : inputs_)
          if (auto inputs = weak.lock()) open.push_back(std::move(inputs));
    }
    const TimeLeft left(timeout);
    bool drained = true;
    for (const auto& inputs : open) drained = inputs->drain(left, stop) && drained;
    open.clear();
    const StopCallback wake(stop, [this] {
      const std::lock_guard lock(mutex_);
      ended_.notify_all();
    });
    std::unique_lock lock(mutex_);
    drained_ = drained_ || drained;
    changed_.notify_all();
    while (running_ > 0) {
      if (stop.stop_requested()) throw CancelledError("join(): a stop was requested");
      const auto remaining = left.remaining().nanoseconds();
      if (remaining.count() <= 0) return false;
      constexpr std::chrono::nanoseconds slice = std::chrono::hours(1);
      ended_.wait_for(lock, std::min(remaining, slice));
    }
    lock.unlock();
    return runtime::wait_for_callbacks(runtime::deadline_after(left.remaining()), stop, callbacks_.get());
  }

  [[nodiscard]] const std::shared_ptr<CallbackMark>& callbacks() const noexcept { return callbacks_; }

  void begin(std::shared_ptr<LazyInputs> inputs) {
    check_owner();
    const std::lock_guard lock(mutex_);
    if (phase_ != Phase::running) refuse();
    inputs_.emplace(inputs.get(), inputs);
  }
  void end(const LazyInputs& inputs) noexcept {
    const std::lock_guard lock(mutex_);
    inputs_.erase(&inputs);
    changed_.notify_all();
  }

  [[nodiscard]] bool owned() const noexcept { return owner_ == platform::current_pid(); }
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(threads_); }

 private:
  enum class Phase : std::uint8_t { running, closed, terminated };

  [[noreturn]] static void refuse() {
    throw ValueError("the pool is not running: it was closed or terminated");
  }
  static std::exception_ptr refusal() {
    return std::make_exception_ptr(CancelledError("the pool ended before the task was begun"));
  }

  void check_owner() const {
    if (!owned()) throw AssertionError("the pool belongs to the process that made it, and this is not it");
  }

  void end(const StopToken& stop) {
    std::deque<ThreadTask> dropped;
    {
      const std::lock_guard lock(mutex_);
      phase_ = Phase::terminated;
      dropped.swap(tasks_);
      changed_.notify_all();
    }
    for (const auto& task : dropped) task(refusal());
    dropped.clear();
    const StopCallback wake(stop, [this] {
      const std::lock_guard lock(mutex_);
      ended_.notify_all();
    });
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return running_ == 0 || stop.stop_requested(); });
    if (running_ > 0)
      throw CancelledError("waiting for the threads to end was given up: a stop was requested");
  }

  [[nodiscard]] bool may_end() const noexcept {
    if (phase_ == Phase::running) return false;
    return phase_ == Phase::terminated || inputs_.empty() || drained_;
  }

  void run() {
    std::exception_ptr unusable;
    try {
      if (initializer_) initializer_();
    } catch (...) {
      unusable = std::current_exception();
    }
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return !tasks_.empty() || may_end(); });
      if (tasks_.empty()) break;
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task(unusable);
      task = nullptr;  // its destructors are the user's
      lock.lock();
    }
    --running_;
    ended_.notify_all();
  }

  const int threads_;
  const int owner_;
  const std::function<void()> initializer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable ended_;
  std::deque<ThreadTask> tasks_;
  std::map<const LazyInputs*, std::weak_ptr<LazyInputs>> inputs_;
  Phase phase_ = Phase::running;
  bool drained_ = false;
  int running_ = 0;
  const std::shared_ptr<CallbackMark> callbacks_ = std::make_shared<CallbackMark>();
};

LazyInputs::~LazyInputs() = default;

std::shared_ptr<ThreadPoolCore> make_thread_pool(int threads, std::function<void()> initializer) {
  if (threads < 1) throw ValueError("a pool needs at least one thread, not " + std::to_string(threads));
  auto pool = std::make_shared<ThreadPoolCore>(threads, std::move(initializer));
  pool->start();
  return pool;
}

void drop_thread_pool(std::shared_ptr<ThreadPoolCore> pool) noexcept {
  if (pool == nullptr) return;
  if (!pool->owned()) {
    // A copy in a forked child, whose threads are not here.
    static_cast<void>(new std::shared_ptr<ThreadPoolCore>(std::move(pool)));
    return;
  }
  try {
    pool->terminate({});
  } catch (...) {
    // Without memory its threads are left to the end of the program.
  }
}

void check_thread_options(const TaskOptions& options) {
  if (!options.timeout.is_infinite())
    throw ValueError("timeout: a thread cannot be stopped; use a Pool, or wait for the result for a time");
  if (options.retries)
    throw ValueError("retries: a thread does not die alone, so that there is nothing to run again");
}

void check_running(ThreadPoolCore& pool) { pool.check_running(); }
void post(ThreadPoolCore& pool, ThreadTask task) { pool.post(std::move(task)); }
void close(ThreadPoolCore& pool) { pool.close(); }
void terminate(ThreadPoolCore& pool, const StopToken& stop) { pool.terminate(stop); }
bool join(ThreadPoolCore& pool, Duration timeout, const StopToken& stop) { return pool.join(timeout, stop); }
bool owned(const ThreadPoolCore& pool) noexcept { return pool.owned(); }
std::shared_ptr<CallbackMark> callback_mark(const ThreadPoolCore& pool) noexcept { return pool.callbacks(); }
std::size_t thread_count(const ThreadPoolCore& pool) noexcept { return pool.size(); }
void begin_inputs(ThreadPoolCore& pool, std::shared_ptr<LazyInputs> inputs) { pool.begin(std::move(inputs)); }
void end_inputs(ThreadPoolCore& pool, const LazyInputs& inputs) noexcept { pool.end(inputs); }

}  // namespace multiprocessing::detail
