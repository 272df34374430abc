// Which chunk goes to which worker, and what their results mean.
#include <algorithm>
#include <chrono>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "pool/function_record.hpp"
#include "pool/pool_core.hpp"
#include "support/deadline.hpp"
#include "support/log.hpp"
#include "support/out_of_memory.hpp"
#include "support/reactor.hpp"

namespace multiprocessing::detail {

using runtime::TaskFrame;
using runtime::TaskFrameKind;
using runtime::TaskFrameReader;

// ---- handing out; the mutex is held

bool PoolCore::take_next(Assignments& next, const runtime::PoolJob* only) {
  while (only == nullptr && !again_.empty()) {
    next.splice(next.begin(), again_, again_.begin());
    if (next.front().job->wanted()) return true;
    done_with_first(next);
  }
  while (!queue_.empty()) {
    const auto& job = queue_.front();
    if (only != nullptr && job.get() != only) return false;
    if (job->wanted() && take_next_of(job, next)) return true;
    job->set_queued(false);
    queue_.pop_front();
  }
  return false;
}

bool PoolCore::take_next_of(const std::shared_ptr<runtime::PoolJob>& job, Assignments& next) {
  if (spare_.empty()) spare_.emplace_back();
  auto& taken = spare_.front();
  if (!job->next(taken.chunk)) return false;
  taken.job = job;
  taken.one_by_one = !job->options().timeout.is_infinite();
  next.splice(next.begin(), spare_, spare_.begin());
  return true;
}

void PoolCore::done_with_first(Assignments& done) noexcept {
  done.front() = Assignment();
  spare_.splice(spare_.begin(), done, done.begin());
}

// Only chunks of one call wait behind each other, and none behind a task with a time limit: when a worker is
// stopped for one task nobody knows whether it has begun the next.
bool PoolCore::next_may_run_behind(const Assignment& last) const {
  return again_.empty() && !queue_.empty() && queue_.front() == last.job && last.job->may_run_ahead() &&
         last.job->options().timeout.is_infinite();
}

const PoolCore::Function& PoolCore::function_of(const runtime::PoolJob& job) {
  const auto& described = job.function();
  const auto key =
      std::pair<const void*, const void*>(described.target.descriptor, described.target.function);
  const auto found = functions_.find(key);
  if (found != functions_.end()) return found->second;
  runtime::FunctionRecord record{runtime::describe_target(described.target, std::string(described.type_name)),
                                 false, reinterpret_cast<std::uintptr_t>(key.first),
                                 reinterpret_cast<std::uintptr_t>(key.second)};
  record.in_program = record.target.descriptor.main_executable &&
                      (!record.target.has_function || record.target.function.main_executable);
  Encoder encoder;
  encode(encoder, record);
  Function function{static_cast<std::uint32_t>(functions_.size()),
                    {encoder.bytes().begin(), encoder.bytes().end()}};
  return functions_.emplace(key, std::move(function)).first->second;
}

// Without memory nothing has happened.
void PoolCore::assign(Worker& worker, Assignments& taken) {
  auto& next = taken.front();
  const auto& function = function_of(*next.job);
  const std::size_t before = worker.out.size();
  if (worker.knows.size() <= function.number) worker.knows.resize(function.number + 1);
  try {
    if (!worker.knows[function.number]) {
      TaskFrame naming;
      naming.kind = TaskFrameKind::function;
      naming.function = function.number;
      append_frame(worker.out, naming, function.record);
    }
    next.number = ++last_number_;
    TaskFrame frame;
    frame.kind = TaskFrameKind::task;
    frame.function = function.number;
    frame.task = next.number;
    frame.first = next.done;
    frame.count = next.chunk.count;
    frame.one_by_one = next.one_by_one ? 1 : 0;
    append_frame(worker.out, frame, next.job->function().state, next.chunk.items);
  } catch (...) {
    worker.out.resize(before);
    throw;
  }
  next.wire_size = worker.out.size() - before;
  next.microseconds = 0;
  next.clock_runs = false;
  worker.knows[function.number] = true;
  worker.unread += next.wire_size;
  worker.sent.splice(worker.sent.end(), taken, taken.begin());
  ++worker.assigned;
}

void PoolCore::dispatch(Deliveries& deliveries) {
  if (nobody_replaces_) replace_missing();
  hand_out(deliveries);
  write_out();
}

// By index, since workers come and go meanwhile; one that is passed over is seen by write_out(), as is what
// does not go at once.
void PoolCore::dispatch_and_write(Deliveries& deliveries, std::unique_lock<std::mutex>& lock) {
  if (nobody_replaces_) replace_missing();
  hand_out(deliveries);
  for (std::size_t i = 0; i < workers_.size(); ++i)
    if (workers_[i]->may_write()) write_unlocked(std::shared_ptr(workers_[i]), lock);
  write_out();
}

// Until `writing` is taken back the worker stays: take_leave() waits for that.
void PoolCore::write_unlocked(const std::shared_ptr<Worker>& worker, std::unique_lock<std::mutex>& lock) {
  auto write = worker->begin_write();
  lock.unlock();
  worker->write(write);
  lock.lock();
  // With what others have left for it meanwhile.
  if (!worker->end_write(write) || !worker->flush()) cannot_write(worker);
  start_clock(worker);
  written_.notify_all();
}

// Every worker gets one before any gets two. One that has more than half of what it may have gets no more
// yet: many short chunks at once cost both sides fewer calls of the system than each by itself.
void PoolCore::hand_out(Deliveries& deliveries) {
  for (const auto& worker : workers_) worker->takes_more = 2 * worker->sent.size() <= worker->depth();
  for (std::size_t level = 1; hand_out(level, deliveries); ++level) continue;
}

bool PoolCore::hand_out(std::size_t level, Deliveries& deliveries) {
  bool may_take_more = false;
  for (const auto& worker : workers_) {
    if (!worker->available() || worker->depth() < level) continue;
    if (settings_.maxtasksperchild && worker->assigned >= *settings_.maxtasksperchild) continue;
    if (worker->sent.size() < level) {
      const bool behind = level > 1;
      if (behind && !(worker->takes_more && next_may_run_behind(worker->sent.back()))) continue;
      Assignments next;
      try {
        if (!take_next(next, behind ? worker->sent.back().job.get() : nullptr)) {
          if (behind) continue;  // that call has no more
          return false;
        }
        if (worker->sent.empty()) worker->head_deadline = platform::Deadline::never();
        assign(*worker, next);
      } catch (const std::bad_alloc&) {
        const auto& job = next.empty() ? queue_.front() : next.front().job;
        job->starve(deliveries.starved);
        return false;
      }
    }
    may_take_more = may_take_more || (worker->takes_more && worker->depth() > level);
  }
  return may_take_more;
}

// Where there is no thread to be had for a large write the system is out of something, which may come back.
void PoolCore::write_out() {
  bool all_written = true;
  for (const auto& worker : workers_) {
    if (!worker->flush()) cannot_write(worker);
    start_clock(worker);
    all_written = all_written && (worker->out.empty() || worker->writing);
  }
  if (all_written || dispatch_later()) return;
  for (const auto& worker : workers_)
    if (!worker->out.empty() && !worker->writing) cannot_write(worker);  // nobody would ever write it
}

bool PoolCore::dispatch_later() {
  constexpr std::chrono::milliseconds pause(100);
  if (!dispatching_later_) dispatching_later_ = later(pause, &PoolCore::dispatch_now_that_it_is_later);
  return dispatching_later_;
}

void PoolCore::dispatch_now_that_it_is_later() {
  Deliveries deliveries;
  {
    const std::scoped_lock lock(mutex_);
    dispatching_later_ = false;
    dispatch(deliveries);
  }
  deliver(deliveries);
}

bool PoolCore::later(std::chrono::nanoseconds pause, void (PoolCore::*then)()) noexcept {
  return runtime::or_out_of_memory([&] {
           return runtime::reactor().at(platform::Deadline::after(pause), [weak = weak_from_this(), then] {
             if (const auto self = weak.lock()) ((*self).*then)();
           });
         })
      .has_value();
}

// A worker begins a task when it has all of it, which takes its time where there is much of it.
void PoolCore::start_clock(const std::shared_ptr<Worker>& worker) {
  if (worker->timer_missing) set_timer(worker);
  if (worker->sent.empty() || worker->sent.front().clock_runs) return;
  if (worker->sent.front().number <= worker->written) begin_head(worker);
}

void PoolCore::begin_head(const std::shared_ptr<Worker>& worker) {
  worker->sent.front().clock_runs = true;
  worker->timer_missing = false;
  if (worker->doomed) return;
  const auto& timeout = worker->sent.front().job->options().timeout;
  worker->head_deadline = runtime::deadline_after(timeout);
  if (timeout.is_infinite()) return;
  // One timer is enough for many tasks: when it comes too early it is set again.
  if (!worker->timer_at.is_never() && worker->timer_at.remaining() <= worker->head_deadline.remaining())
    return;
  set_timer(worker);
}

// Without memory for a timer it is tried again before long, and a task of which nobody could tell that its
// time is over does not run.
void PoolCore::set_timer(const std::shared_ptr<Worker>& worker) {
  worker->timer_missing = false;
  if (worker->gone || worker->doomed || worker->sent.empty() || worker->head_deadline.is_never()) return;
  const auto deadline = worker->head_deadline;
  const auto timer = runtime::or_out_of_memory([&] {
    return runtime::reactor().at(deadline, [pool = weak_from_this(), weak = std::weak_ptr(worker), deadline] {
      const auto self = pool.lock();
      const auto late = weak.lock();
      if (self != nullptr && late != nullptr) self->on_timer(late, deadline);
    });
  });
  if (timer) {
    worker->timer_at = deadline;
    worker->timer = *timer;
    return;
  }
  worker->timer_missing = dispatch_later();
  if (!worker->timer_missing) give_up(worker);
}

void PoolCore::retire_if_done(Worker& worker) {
  if (!worker.available() || !worker.sent.empty()) return;
  const bool used_up = settings_.maxtasksperchild && worker.assigned >= *settings_.maxtasksperchild;
  const bool over = phase_ != Phase::running && open_.empty();
  if (!used_up && !over) return;
  worker.retiring = true;
  TaskFrame end;
  end.kind = TaskFrameKind::end;
  bool told = false;
  try {
    append_frame(worker.out, end);
    told = worker.flush() && (worker.out.empty() || worker.writing);
  } catch (const std::bad_alloc&) {
    // As if it could not be written.
  }
  if (!told) worker.process->kill_quietly();  // who cannot be told has ended, or would never know
}

void PoolCore::end_idle_workers() {
  for (const auto& worker : workers_) retire_if_done(*worker);
}

// ---- results; the mutex is held

bool PoolCore::take_result(const std::shared_ptr<Worker>& worker, Deliveries& deliveries) {
  const TaskFrame& frame = worker->reader.frame();
  if (worker->sent.empty()) return false;
  auto& head = worker->sent.front();
  // The late result of an item that is answered already, because its time was over.
  if (frame.task == head.number && frame.first < head.done) return true;
  const bool is_failure = frame.kind == TaskFrameKind::failed;
  const std::uint32_t count = is_failure ? 1 : frame.count;
  if (frame.task != head.number || frame.first != head.done || count == 0 || count > head.left())
    return false;
  if (head.job->wanted()) keep_result(*worker, count, deliveries);
  head.done += count;
  head.kills = head.returns = 0;
  head.microseconds += frame.microseconds;
  const bool complete = head.left() == 0;
  if (complete) {
    constexpr double weight = 0.25;  // of the newest
    const auto took = static_cast<double>(head.microseconds);
    worker->pace = worker->pace > 1e8 ? took : worker->pace + weight * (took - worker->pace);
    worker->unread -= head.wire_size;
    done_with_first(worker->sent);
  }
  if (!worker->sent.empty()) {
    begin_head(worker);
    if (worker->sent.front().job->cancelled()) doom(worker);
  }
  if (complete) retire_if_done(*worker);
  return true;
}

// The worker has done its part: without memory its job fails, and it goes on.
void PoolCore::keep_result(Worker& worker, std::uint32_t count, Deliveries& deliveries) noexcept {
  const auto& head = worker.sent.front();
  try {
    Delivery delivery{head.job, head.chunk.first + head.done, count, {}, nullptr};
    if (worker.reader.frame().kind == TaskFrameKind::failed)
      delivery.failure = std::make_shared<TaskFailure>(std::move(worker.reader.body()));
    else
      delivery.bytes = std::move(worker.reader.body());
    deliveries.results.push_back(std::move(delivery));
  } catch (const std::bad_alloc&) {
    head.job->starve(deliveries.starved);
  }
}

bool PoolCore::take_frame(const std::shared_ptr<Worker>& worker, Deliveries& deliveries) {
  deliveries.took_frame = true;
  switch (worker->reader.frame().kind) {
    case TaskFrameKind::ready:
      worker->ready = true;
      start_failures_ = 0;
      retire_if_done(*worker);  // it may have come too late
      return true;
    case TaskFrameKind::unusable:
      worker->unusable = std::make_shared<TaskFailure>(std::move(worker->reader.body()));
      return true;
    case TaskFrameKind::results:
    case TaskFrameKind::failed:
      return take_result(worker, deliveries);
    default:
      return false;
  }
}

bool PoolCore::read_results(const std::shared_ptr<Worker>& worker, Deliveries& deliveries) {
  constexpr int at_once = 1024;  // frames, so that no worker keeps the others waiting
  try {
    return read_frames(worker, deliveries, at_once);
  } catch (const std::bad_alloc&) {
    return false;  // a result that is too large, or a lie
  } catch (const std::length_error&) {
    return false;
  }
}

// Whole frames that the reader has taken from the channel are taken from it, too: no input is seen for them
// any more.
bool PoolCore::read_frames(const std::shared_ptr<Worker>& worker, Deliveries& deliveries, int at_once) {
  for (int i = 0; i < at_once || worker->reader.holds_frame(); ++i)
    switch (worker->reader.advance(*worker->channel)) {
      case TaskFrameReader::State::complete:
        if (take_frame(worker, deliveries)) break;
        return false;
      case TaskFrameReader::State::waiting:
        return true;
      case TaskFrameReader::State::ended:
      case TaskFrameReader::State::corrupt:
        return false;
    }
  return true;
}

void PoolCore::deliver(Deliveries& deliveries) {
  for (const auto& text : deliveries.log) runtime::log(Level::info, text);
  deliveries.log.clear();
  for (auto& delivery : deliveries.results)
    if (ends_job(delivery)) forget(*delivery.job);
  deliveries.results.clear();
  while (deliveries.starved) {
    fail_first_starved(deliveries);
    if (deliveries.starved) continue;
    const std::scoped_lock lock(mutex_);
    dispatch(deliveries);
  }
}

// Whether the job is over with this one and nobody else's: who has an earlier part of it may see that it is
// over before its result is there, and a join() must not return in between.
bool PoolCore::ends_job(Delivery& delivery) {
  try {
    if (delivery.failure) return delivery.job->failed(delivery.first, std::move(delivery.failure));
    return delivery.job->succeeded(delivery.first, delivery.count, std::move(delivery.bytes));
  } catch (const std::bad_alloc&) {
    return delivery.job->abort(out_of_memory_);
  }
}

// There is no memory for one of its chunks. Its inputs go with it, before another is tried.
void PoolCore::fail_first_starved(Deliveries& deliveries) {
  const auto job = deliveries.starved;
  deliveries.starved = job->next_starved();
  if (job->abort(out_of_memory_)) forget(*job);
}

}  // namespace multiprocessing::detail
