// A pool from its beginning to its end: submitting, closing, terminating, joining.
#include "pool/pool_core.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <utility>

#include "contract/process.hpp"
#include "launch/calls_under_way.hpp"
#include "launch/exit_rule.hpp"
#include "launch/registry_mutex.hpp"
#include "support/callbacks.hpp"
#include "support/deadline.hpp"
#include "support/errors.hpp"
#include "support/reactor.hpp"
#include "support/wait.hpp"

namespace multiprocessing::detail {
namespace {

/// The pools of this process and, in a forked child, copies of its parent's. Guarded by the registry's mutex,
/// which a fork takes; never destroyed.
std::set<PoolCore*>& pools() {
  static auto& all = *new std::set<PoolCore*>;
  return all;
}

/// The pool whose calls this thread tells that they have failed. A callback that got no thread of its own
/// runs inside of that, and would wait for itself in join().
thread_local const PoolCore* aborted_here = nullptr;

/// Workers of a pool go with the program; those of an executor finish what they have.
void end_pools() {
  std::vector<std::shared_ptr<PoolCore>> living;
  {
    const std::scoped_lock lock(runtime::registry_mutex());
    for (auto* pool : pools())
      if (pool->owned())
        if (auto kept = pool->weak_from_this().lock()) living.push_back(std::move(kept));
  }
  for (const auto& pool : living) {
    if (pool->is_executor())
      pool->close_for_good();
    else
      pool->terminate(false);
  }
  for (const auto& pool : living)
    if (pool->is_executor()) pool->join_workers(platform::Deadline::never(), {});
}

/// Of a child that was killed. Who has given up the start does not wait for a server that is stopped to tell
/// of it, nor for ever for anything else.
void see_end(ProcessState& process, const StopToken& stop) {
  if (!stop.stop_requested()) {
    process.join(platform::Deadline::never(), {});
    return;
  }
  constexpr std::chrono::seconds patience(10);
  const auto until = platform::Deadline::after(patience);
  static_cast<void>(runtime::wait_for_handle(process.sentinel_handle(), until, {}));
  process.advance();
}

}  // namespace

PoolCore::PoolCore(PoolSettings settings) : settings_(std::move(settings)), owner_(platform::current_pid()) {
  runtime::at_exit_rule(&end_pools);
  runtime::settle_results_at_exit();
  const std::scoped_lock lock(runtime::registry_mutex());
  pools().insert(this);
}

PoolCore::~PoolCore() {
  const std::scoped_lock lock(runtime::registry_mutex());
  pools().erase(this);
}

bool PoolCore::owned() const noexcept { return owner_ == platform::current_pid(); }

void PoolCore::check_owner() const {
  if (!owned()) throw AssertionError("the pool belongs to the process that made it, and this is not it");
}

void PoolCore::start(const StopToken& stop) {
  // Before the reactor has a thread: a forked worker shall not be the copy of a process with threads.
  std::vector<std::shared_ptr<Worker>> begun;
  try {
    for (int i = 0; i < settings_.processes; ++i) begun.push_back(start_worker(stop));
    const std::scoped_lock lock(mutex_);
    while (!begun.empty()) {
      const auto worker = std::move(begun.back());
      begun.pop_back();
      add_worker(worker);
    }
  } catch (...) {
    // Whoever catches this finds no child of the pool.
    for (const auto& worker : begun) worker->process->kill_quietly();
    for (const auto& worker : begun) {
      try {
        see_end(*worker->process, stop);
      } catch (...) {
        // Its end is seen later, when the program ends at the latest.
      }
      worker->process->done_reading();
    }
    terminate(true);
    throw;
  }
}

// ---- tasks

void PoolCore::refuse() const {
  if (settings_.executor) throw RuntimeError("the executor takes no tasks after shutdown()");
  throw ValueError("the pool is not running: it was closed or terminated");
}

void PoolCore::check_running() const {
  check_owner();
  std::shared_ptr<const TaskFailure> broken;
  {
    const std::scoped_lock lock(mutex_);
    if (phase_ != Phase::running) refuse();
    broken = broken_;
  }
  if (broken) std::rethrow_exception(broken->exception());
}

void PoolCore::submit(const std::shared_ptr<runtime::PoolJob>& job) {
  check_owner();
  std::shared_ptr<const TaskFailure> broken;
  Deliveries deliveries;
  {
    std::unique_lock lock(mutex_);
    if (phase_ != Phase::running) refuse();
    function_of(*job);  // throws where no other process could find the code; the pool is as it was then
    broken = broken_;
    if (broken == nullptr) {
      enqueue(job);
      try {
        open_.insert_or_assign(job.get(), job);
      } catch (...) {
        queue_.pop_back();
        throw;
      }
      dispatch_and_write(deliveries, lock);
    }
  }
  deliver(deliveries);
  if (broken) std::rethrow_exception(broken->exception());
}

void PoolCore::more(const std::shared_ptr<runtime::PoolJob>& job) {
  Deliveries deliveries;
  {
    std::unique_lock lock(mutex_);
    if (job->over() || !open_.contains(job.get())) return;
    try {
      enqueue(job);
    } catch (const std::bad_alloc&) {
      job->starve(deliveries.starved);  // nobody would come back for its chunks
    }
    dispatch_and_write(deliveries, lock);
  }
  deliver(deliveries);
}

void PoolCore::enqueue(const std::shared_ptr<runtime::PoolJob>& job) {
  if (job->queued()) return;
  queue_.push_back(job);
  job->set_queued(true);
}

void PoolCore::forget(const runtime::PoolJob& job) {
  {
    const std::scoped_lock lock(mutex_);
    open_.erase(&job);
    if (phase_ == Phase::running || !open_.empty()) return;
    end_idle_workers();
    changed_.notify_all();
  }
  enough_workers_.request_stop();
}

void PoolCore::cancel(runtime::PoolJob& job) {
  if (!owned()) return;
  job.note_cancelled();
  Deliveries deliveries;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& worker : workers_) {
      if (worker->sent.empty() || worker->sent.front().job.get() != &job) continue;
      // It may be done with it, and in the next one's hands already.
      if (!read_results(worker, deliveries)) give_up(worker);
      if (!worker->sent.empty() && worker->sent.front().job.get() == &job) doom(worker);
    }
    dispatch(deliveries);  // to a worker that turned out to be free
  }
  deliver(deliveries);
  forget(job);
}

std::size_t PoolCore::appetite() const {
  const std::scoped_lock lock(mutex_);
  std::size_t chunks = 2 * static_cast<std::size_t>(settings_.processes);
  for (const auto& worker : workers_) chunks += 2 * worker->depth();
  return chunks;
}

void PoolCore::abort_all(const std::shared_ptr<const TaskFailure>& failure) {
  const auto* const outer = std::exchange(aborted_here, this);
  enough_workers_.request_stop();  // whoever forks the next one may be stopped himself
  {
    const std::scoped_lock lock(mutex_);
    ++aborting_;
  }
  // One by one, since a list of them would need memory; and first, since nobody else may hold them.
  while (const auto job = take_open()) job->abort(failure);
  const std::scoped_lock lock(mutex_);
  --aborting_;
  for (const auto& job : queue_) job->set_queued(false);
  queue_.clear();
  again_.clear();
  aborted_here = outer;
  changed_.notify_all();  // a pool that breaks without workers has ended: no death of one will tell
}

std::shared_ptr<runtime::PoolJob> PoolCore::take_open() {
  const std::scoped_lock lock(mutex_);
  std::shared_ptr<runtime::PoolJob> job;
  while (job == nullptr && !open_.empty()) {
    job = open_.begin()->second.lock();
    open_.erase(open_.begin());
  }
  return job;
}

void PoolCore::abort_if_broken() {
  std::shared_ptr<const TaskFailure> failure;
  {
    const std::scoped_lock lock(mutex_);
    failure = broken_;
  }
  if (failure) abort_all(failure);
}

// What has to do without memory does; but if not, then rather the pool ends than the program.
void PoolCore::break_without_memory() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (broken_ == nullptr) broken_ = out_of_memory_;
    for (const auto& worker : workers_) worker->process->kill_quietly();
  }
  abort_all(out_of_memory_);
}

// ---- the end

// Whoever has joined it finds every call answered, those of a pool that broke as well.
bool PoolCore::has_ended() const noexcept {
  const bool aborts = aborting_ > 0 || ((phase_ == Phase::terminated || broken_) && !open_.empty());
  return workers_have_ended() && (!aborts || aborted_here == this);
}

bool PoolCore::workers_have_ended() const noexcept {
  return workers_.empty() && leaving_ == 0 && !keeping_up_ && missing() <= 0;
}

void PoolCore::close() {
  check_owner();
  {
    const std::scoped_lock lock(mutex_);
    if (phase_ == Phase::running) phase_ = Phase::closed;
    if (!open_.empty()) return;
    end_idle_workers();
  }
  enough_workers_.request_stop();
}

// Whoever would pull the rest of an iteration's inputs will not come back.
void PoolCore::close_for_good() {
  close();
  std::vector<std::shared_ptr<runtime::PoolJob>> jobs;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [key, weak] : open_)
      if (auto job = weak.lock()) jobs.push_back(std::move(job));
  }
  for (const auto& job : jobs) job->no_more_inputs();
}

void PoolCore::terminate(bool wait) {
  check_owner();
  {
    const std::scoped_lock lock(mutex_);
    phase_ = Phase::terminated;
    for (const auto& worker : workers_) doom(worker);
    changed_.notify_all();
  }
  abort_all(failure_of([] {
    return std::make_exception_ptr(CancelledError("the pool was terminated before the task was done"));
  }));
  if (wait) wait_for_end({});
}

void PoolCore::wait_for_end(const StopToken& stop) {
  const StopCallback wake(stop, [this] {
    const std::scoped_lock lock(mutex_);
    changed_.notify_all();
  });
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return has_ended() || stop.stop_requested(); });
    if (!has_ended())
      throw CancelledError("waiting for the workers to end was given up: a stop was requested");
  }
  drop_initializer();
}

// Its arguments are the user's: they go in his thread, not with the last reference, which may be the
// reactor's.
void PoolCore::drop_initializer() noexcept {
  ::multiprocessing::Task initializer;
  const std::scoped_lock lock(mutex_);
  std::swap(initializer, settings_.initializer);
}

// Whoever reads what callbacks wrote, after this, shall find it whole. Python: it joins their thread.
bool PoolCore::join(Duration timeout, const StopToken& stop) {
  const auto deadline = runtime::deadline_after(timeout);
  return join_workers(deadline, stop) && runtime::wait_for_callbacks(deadline, stop, callbacks_.get());
}

bool PoolCore::join_workers(platform::Deadline deadline, const StopToken& stop) {
  check_owner();
  std::vector<std::shared_ptr<runtime::PoolJob>> jobs;
  {
    const std::scoped_lock lock(mutex_);
    if (phase_ == Phase::running)
      throw ValueError("join(): the pool is still running; close or terminate it");
    for (const auto& [key, weak] : open_)
      if (auto job = weak.lock()) jobs.push_back(std::move(job));
  }
  for (const auto& job : jobs) job->drain(deadline, stop);
  jobs.clear();
  const StopCallback wake(stop, [this] {
    const std::scoped_lock lock(mutex_);
    changed_.notify_all();
  });
  std::unique_lock lock(mutex_);
  while (!has_ended()) {
    if (stop.stop_requested()) throw CancelledError("join(): a stop was requested");
    if (deadline.expired()) return false;
    constexpr std::chrono::nanoseconds slice = std::chrono::hours(1);
    changed_.wait_for(lock, deadline.is_never() ? slice : std::min(deadline.remaining(), slice));
  }
  lock.unlock();
  drop_initializer();
  return true;
}

void PoolCore::cancel_waiting() {
  check_owner();
  std::vector<std::shared_ptr<runtime::PoolJob>> waiting, begun;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [key, weak] : open_)
      if (auto job = weak.lock()) (job->begun() ? begun : waiting).push_back(std::move(job));
  }
  for (const auto& job : waiting) job->cancel();
  for (const auto& job : begun) job->cancel_rest();
}

void PoolCore::break_up(bool kill) {
  check_owner();
  const auto failure = failure_of([] {
    return std::make_exception_ptr(
        BrokenProcessPool("the executor's workers were ended before the task was done"));
  });
  {
    const std::scoped_lock lock(mutex_);
    if (broken_ == nullptr) broken_ = failure;
    for (const auto& worker : workers_) {
      doom(worker);
      if (kill) worker->process->kill_quietly();
    }
  }
  abort_all(failure);
}

}  // namespace multiprocessing::detail
