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
#include "support/reactor.hpp"

namespace multiprocessing::detail {

using runtime::TaskFrame;
using runtime::TaskFrameKind;
using runtime::TaskFrameReader;

// ---- handing out; the mutex is held

bool PoolCore::take_next(Assignment& next, const runtime::PoolJob* only) {
  while (only == nullptr && !again_.empty()) {
    next = std::move(again_.front());
    again_.pop_front();
    if (!next.job->over()) return true;
  }
  while (!queue_.empty()) {
    auto& job = queue_.front();
    if (only != nullptr && job.get() != only) return false;
    next = Assignment();
    next.job = job;
    if (!job->over() && job->next(next.chunk)) {
      next.one_by_one = !job->options().timeout.is_infinite();
      return true;
    }
    job->set_queued(false);
    queue_.pop_front();
  }
  return false;
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
void PoolCore::assign(Worker& worker, Assignment& next) {
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
    next.wire_size = worker.out.size() - before;
    next.microseconds = 0;
    next.clock_runs = false;
    worker.sent.push_back(std::move(next));
  } catch (...) {
    worker.out.resize(before);
    throw;
  }
  worker.knows[function.number] = true;
  worker.unread += worker.sent.back().wire_size;
  ++worker.assigned;
}

void PoolCore::dispatch(Deliveries& deliveries) {
  // Every worker gets one before any gets two.
  for (std::size_t level = 1;; ++level) {
    bool may_take_more = false;
    for (const auto& worker : workers_) {
      if (!worker->available() || worker->depth() < level) continue;
      if (settings_.maxtasksperchild && worker->assigned >= *settings_.maxtasksperchild) continue;
      if (worker->sent.size() >= level) {
        may_take_more = may_take_more || worker->depth() > level;
        continue;
      }
      const bool behind = level > 1;
      if (behind && !next_may_run_behind(worker->sent.back())) continue;
      Assignment next;
      if (!take_next(next, behind ? worker->sent.back().job.get() : nullptr)) {
        if (behind) continue;  // that call has no more
        may_take_more = false;
        break;
      }
      if (worker->sent.empty()) worker->head_deadline = platform::Deadline::never();
      try {
        assign(*worker, next);
      } catch (const std::bad_alloc&) {
        deliveries.starved = std::move(next.job);
        may_take_more = false;
        break;
      }
      may_take_more = may_take_more || worker->depth() > level;
    }
    if (!may_take_more) break;
  }
  bool all_written = true;
  for (const auto& worker : workers_) {
    if (!worker->flush()) give_up(worker);
    start_clock(worker);
    all_written = all_written && worker->out.empty();
  }
  if (!all_written) dispatch_later();
}

// There is no thread to be had for a large write: the system is out of something, which may come back.
void PoolCore::dispatch_later() {
  constexpr std::chrono::milliseconds pause(100);
  static_cast<void>(runtime::reactor().at(platform::Deadline::after(pause), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    Deliveries deliveries;
    {
      const std::scoped_lock lock(self->mutex_);
      self->dispatch(deliveries);
    }
    self->deliver(deliveries);
  }));
}

// A worker begins a task when it has all of it, which takes its time where there is much of it.
void PoolCore::start_clock(const std::shared_ptr<Worker>& worker) {
  if (worker->sent.empty() || worker->sent.front().clock_runs) return;
  if (worker->sent.front().number <= worker->written) begin_head(worker);
}

void PoolCore::begin_head(const std::shared_ptr<Worker>& worker) {
  worker->sent.front().clock_runs = true;
  if (worker->doomed) return;
  const auto& timeout = worker->sent.front().job->options().timeout;
  worker->head_deadline = runtime::deadline_after(timeout);
  if (timeout.is_infinite()) return;
  // One timer is enough for many tasks: when it comes too early it is set again.
  if (!worker->timer_at.is_never() && worker->timer_at.remaining() <= worker->head_deadline.remaining())
    return;
  set_timer(worker);
}

void PoolCore::set_timer(const std::shared_ptr<Worker>& worker) {
  const auto deadline = worker->head_deadline;
  const auto timer =
      runtime::reactor().at(deadline, [pool = weak_from_this(), weak = std::weak_ptr(worker), deadline] {
        const auto self = pool.lock();
        const auto late = weak.lock();
        if (self != nullptr && late != nullptr) self->on_timer(late, deadline);
      });
  if (!timer) return;
  worker->timer_at = deadline;
  worker->timer = *timer;
}

void PoolCore::retire_if_done(Worker& worker) {
  if (!worker.available() || !worker.sent.empty()) return;
  const bool used_up = settings_.maxtasksperchild && worker.assigned >= *settings_.maxtasksperchild;
  const bool over = phase_ != Phase::running && open_.empty();
  if (!used_up && !over) return;
  worker.retiring = true;
  TaskFrame end;
  end.kind = TaskFrameKind::end;
  append_frame(worker.out, end);
  if (!worker.flush()) worker.process->kill_quietly();  // who cannot be told has ended, or would never know
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
  if (!head.job->over()) {
    Delivery delivery{head.job, head.chunk.first + head.done, count, {}, nullptr};
    if (is_failure)
      delivery.failure = std::make_shared<TaskFailure>(std::move(worker->reader.body()));
    else
      delivery.bytes = std::move(worker->reader.body());
    deliveries.results.push_back(std::move(delivery));
  }
  head.done += count;
  head.kills = head.returns = 0;
  head.microseconds += frame.microseconds;
  const bool complete = head.left() == 0;
  if (complete) {
    constexpr double weight = 0.25;  // of the newest
    const auto took = static_cast<double>(head.microseconds);
    worker->pace = worker->pace > 1e8 ? took : worker->pace + weight * (took - worker->pace);
    worker->unread -= head.wire_size;
    worker->sent.pop_front();
  }
  if (!worker->sent.empty()) {
    begin_head(worker);
    if (worker->sent.front().job->cancelled()) doom(worker);
  }
  if (complete) retire_if_done(*worker);
  return true;
}

bool PoolCore::take_frame(const std::shared_ptr<Worker>& worker, Deliveries& deliveries) {
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

bool PoolCore::read_frames(const std::shared_ptr<Worker>& worker, Deliveries& deliveries, int at_once) {
  for (int i = 0; i < at_once; ++i) switch (worker->reader.advance(*worker->channel)) {
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
  for (auto& delivery : deliveries.results) try {
      if (delivery.failure)
        delivery.job->failed(delivery.first, std::move(delivery.failure));
      else
        delivery.job->succeeded(delivery.first, delivery.count, std::move(delivery.bytes));
    } catch (const std::bad_alloc&) {
      delivery.job->abort(out_of_memory_);
    }
  for (const auto& delivery : deliveries.results)
    if (delivery.job->over()) forget(*delivery.job);
  deliveries.results.clear();
  while (deliveries.starved) {
    fail(std::exchange(deliveries.starved, nullptr));
    const std::scoped_lock lock(mutex_);
    dispatch(deliveries);
  }
}

// There is no memory to hand one of its chunks out. Its inputs go with it, before another is tried.
void PoolCore::fail(std::shared_ptr<runtime::PoolJob> job) {
  forget(*job);
  job->abort(out_of_memory_);
}

}  // namespace multiprocessing::detail
