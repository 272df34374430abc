// The workers of a pool: how they are started, watched, stopped, and what is done when one dies.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <iterator>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "contract/system.hpp"
#include "own_thread.hpp"
#include "pool/pool_core.hpp"
#include "pool_channels.hpp"
#include "support/errors.hpp"
#include "support/log.hpp"
#include "support/out_of_memory.hpp"
#include "support/reactor.hpp"
#include "worker.hpp"

#include "launch/end_watch.hpp"
#include "launch/exit_rule.hpp"
#include "launch/self.hpp"

namespace multiprocessing::detail {

using runtime::TaskFrameReader;

namespace {

/// How long a worker that was asked to end gets before it is killed.
constexpr std::chrono::seconds grace(1);

std::string capitalized(std::string word) {
  if (!word.empty() && word[0] >= 'a' && word[0] <= 'z') word[0] = static_cast<char>(word[0] - 'a' + 'A');
  if (word == "Forkserver") word = "ForkServer";
  return word;
}

/// "ForkPoolWorker-3".
std::string worker_name(const PoolSettings& settings) {
  const auto method =
      settings.start_method.empty() ? runtime::start_method_in_force() : settings.start_method;
  auto lineage = runtime::self().lineage();
  static std::atomic<std::uint32_t> last{0};
  lineage.push_back(++last);
  const std::string kind = settings.executor ? "Process" : capitalized(method) + "PoolWorker";
  return runtime::default_name(kind.c_str(), lineage);
}

/// Made when somebody asks.
std::function<std::exception_ptr()> broken_executor(std::shared_ptr<const TaskFailure> failure) {
  return [cause = std::move(failure)] {
    std::string text = "no worker of the executor could begin";
    try {
      std::rethrow_exception(cause->exception());
    } catch (const std::exception& error) {
      text += std::string(": ") + error.what();
    } catch (...) {
      text += ", for a reason that is no std::exception";
    }
    return std::make_exception_ptr(BrokenProcessPool(text));
  };
}

}  // namespace

// ---- starting

std::shared_ptr<PoolCore::Worker> PoolCore::start_worker(const StopToken& stop) {
  auto [ours, theirs] = runtime::open_pool_channel();
  auto worker = std::make_shared<Worker>();
  worker->channel = std::move(ours);
  worker->feeder = std::make_shared<runtime::Feeder>(worker->channel,
                                                     [pool = weak_from_this(), weak = std::weak_ptr(worker)] {
                                                       const auto self = pool.lock();
                                                       const auto unfed = weak.lock();
                                                       if (self != nullptr && unfed != nullptr)
                                                         self->on_write_failed(unfed);
                                                     });
  worker->note_written = [pool = weak_from_this(), weak = std::weak_ptr(worker)](std::uint64_t number) {
    const auto tell = [pool, weak, number] {
      const auto self = pool.lock();
      const auto waiting = weak.lock();
      if (self != nullptr && waiting != nullptr) self->on_written(waiting, number);
    };
    try {
      runtime::reactor().post(tell);
    } catch (const std::bad_alloc&) {
      tell();
    }
  };
  worker->let_go = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->note_let_go();
  };
  ProcessOptions options;
  options.name = worker_name(settings_);
  options.daemon = !settings_.executor;
  worker->process = std::make_shared<ProcessState>(StartWith{settings_.start_method.c_str(), "PoolWorker"},
                                                   options, nullptr);
  const runtime::KeptByChild kept(*theirs);
  runtime::WorkerSubject subject(std::move(theirs), settings_.initializer.get());
  subject.set_state(worker->process);
  worker->process->start(subject, true, stop);
  worker->pid = worker->process->pid().value_or(0);
  return worker;
}

void PoolCore::add_worker(const std::shared_ptr<Worker>& worker) {
  const auto weak = weak_from_this();
  try {
    workers_.reserve(workers_.size() + 1);  // nothing fails once its end is watched
    worker->ended = runtime::EndWatch::begin(worker->process, [weak, worker] {
      const auto self = weak.lock();
      return self != nullptr && self->on_ended(worker);
    });
  } catch (...) {
    worker->process->kill_quietly();
    worker->process->done_reading();
    throw;
  }
  workers_.push_back(worker);
  const auto input = runtime::or_out_of_memory([&] {
    return runtime::reactor().watch(worker->channel->readable(), [weak, worker] {
      const auto self = weak.lock();
      return self != nullptr && self->on_input(worker);
    });
  });
  if (!input) give_up(worker);  // its end will be seen
  worker->input = input ? *input : 0;
  if (phase_ == Phase::terminated || broken_) doom(worker);
}

int PoolCore::missing() const {
  if (phase_ == Phase::terminated || broken_) return 0;
  if (runtime::exit_rule_has_begun() && !settings_.executor) return 0;
  if (phase_ == Phase::closed && open_.empty()) return 0;
  return settings_.processes - static_cast<int>(workers_.size()) - starting_;
}

// Where there is no thread to be had now, there may be one later.
void PoolCore::replace_missing() {
  nobody_replaces_ = false;
  if (keeping_up_ || replacing_later_ || missing() <= 0) return;
  // A worker that is forked there goes on with that thread's stack.
  const auto begun = runtime::or_out_of_memory([&] {
    return platform::run_in_background([self = shared_from_this()] { self->keep_up(); },
                                       platform::StackSize::as_first);
  });
  keeping_up_ = begun.has_value();
  if (keeping_up_) return;
  replacing_later_ = later(grace, &PoolCore::replace_now_that_it_is_later);
  if (replacing_later_) return;
  // Whoever still works will give occasion to try it again.
  nobody_replaces_ = !workers_.empty();
  if (!nobody_replaces_) broken_ = out_of_memory_;
}

void PoolCore::replace_now_that_it_is_later() {
  {
    const std::scoped_lock lock(mutex_);
    replacing_later_ = false;
    replace_missing();
  }
  abort_if_broken();
}

void PoolCore::keep_up() {
  const runtime::OwnThread counted;
  std::unique_lock lock(mutex_);
  while (missing() > 0) {
    ++starting_;
    lock.unlock();
    std::shared_ptr<Worker> worker;
    std::exception_ptr failure;
    try {
      worker = start_worker(enough_workers_.token());
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    --starting_;
    try {
      if (worker) add_worker(worker);
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure || missing() <= 0) continue;
    // With others at work it is a matter of patience: what is exhausted may be there again soon.
    if (workers_.empty()) {
      note_start_failure(failure_of([&] { return failure; }));
      lock.unlock();
      abort_if_broken();
      lock.lock();
    }
    constexpr std::chrono::milliseconds pause(100);
    changed_.wait_for(lock, pause, [this] { return missing() <= 0; });
  }
  keeping_up_ = false;
  changed_.notify_all();
}

void PoolCore::note_start_failure(std::shared_ptr<const TaskFailure> failure) {
  const int tolerated = settings_.processes + 10;
  if (++start_failures_ <= tolerated || broken_) return;
  broken_ = settings_.executor ? failure_of([&] { return broken_executor(failure); }) : std::move(failure);
  for (const auto& worker : workers_) doom(worker);
}

// ---- stopping

void PoolCore::doom(const std::shared_ptr<Worker>& worker) {
  if (worker->doomed || worker->gone) return;
  worker->doomed = true;
  try {
    worker->process->send(platform::StopSignal::terminate, "terminate");
  } catch (...) {
    worker->process->kill_quietly();
  }
  const auto timer = runtime::or_out_of_memory([&] {
    return runtime::reactor().at(platform::Deadline::after(grace), [weak = std::weak_ptr(worker)] {
      const auto late = weak.lock();
      if (late != nullptr && !late->gone) late->process->kill_quietly();
    });
  });
  if (timer)
    worker->kill_timer = *timer;
  else
    worker->process->kill_quietly();
}

// It has closed its end, which it does when it dies, or writes nonsense: it is of no use any more.
void PoolCore::give_up(const std::shared_ptr<Worker>& worker) {
  if (worker->doomed || worker->gone || worker->retiring) return;
  worker->lost = true;
  doom(worker);
}

// One that was to be told that no more tasks come would never know.
void PoolCore::cannot_write(const std::shared_ptr<Worker>& worker) {
  if (worker->gone) return;
  if (worker->retiring) worker->process->kill_quietly();
  give_up(worker);
}

void PoolCore::on_timer(const std::shared_ptr<Worker>& worker, platform::Deadline set_for) try {
  Deliveries deliveries;
  time_over(worker, set_for, deliveries);
  deliver(deliveries);
} catch (const std::bad_alloc&) {
  break_without_memory();
}

void PoolCore::time_over(const std::shared_ptr<Worker>& worker, platform::Deadline set_for,
                         Deliveries& deliveries) {
  const std::scoped_lock lock(mutex_);
  if (!(worker->timer_at == set_for)) return;  // there is a later one
  worker->timer_at = platform::Deadline::never();
  if (worker->gone || worker->doomed) return;
  // What has come in time counts, however late it is read.
  if (!read_results(worker, deliveries)) give_up(worker);
  dispatch(deliveries);
  if (worker->doomed || worker->sent.empty()) return;
  if (!worker->head_deadline.expired()) {
    if (!worker->head_deadline.is_never()) set_timer(worker);
    return;
  }
  auto& head = worker->sent.front();
  answer(head, deliveries, [&](std::uint64_t task) {
    const auto seconds = std::chrono::duration<double>(head.job->options().timeout.nanoseconds()).count();
    return std::make_exception_ptr(TimeoutError("task " + std::to_string(task) + " took longer than " +
                                                std::to_string(seconds) + " s; its worker was stopped"));
  });
  doom(worker);
}

// ---- the reactor's callbacks

void PoolCore::on_written(const std::shared_ptr<Worker>& worker, std::uint64_t number) {
  const std::scoped_lock lock(mutex_);
  if (worker->gone) return;
  worker->written = std::max(worker->written, number);
  start_clock(worker);
}

// Most likely it has ended. But where the system was out of something it would wait for the rest for ever.
void PoolCore::on_write_failed(const std::shared_ptr<Worker>& worker) {
  const std::scoped_lock lock(mutex_);
  cannot_write(worker);
}

bool PoolCore::on_input(const std::shared_ptr<Worker>& worker) try {
  Deliveries deliveries;
  bool good = true;
  {
    const std::scoped_lock lock(mutex_);
    if (worker->gone) return false;
    good = read_results(worker, deliveries);
    if (!good) give_up(worker);
    dispatch(deliveries);
  }
  deliver(deliveries);
  return good;
} catch (const std::bad_alloc&) {
  break_without_memory();
  return false;
}

bool PoolCore::on_ended(const std::shared_ptr<Worker>& worker) try {
  Deliveries deliveries;
  const Leave leave = take_leave(worker, deliveries);
  // Of one whose end is not quite known, too: what it has reported is in nobody's hands but these.
  deliver(deliveries);
  abort_if_broken();
  if (leave == Leave::now) let_go(*worker);
  return leave == Leave::not_yet;
} catch (const std::bad_alloc&) {
  break_without_memory();
  return true;
}

PoolCore::Leave PoolCore::take_leave(const std::shared_ptr<Worker>& worker, Deliveries& deliveries) {
  std::unique_lock lock(mutex_);
  if (worker->gone) return Leave::taken;
  while (read_results(worker, deliveries) && more_to_read(*worker))
    if (!take_frame(worker, deliveries)) break;
  if (!has_surely_ended(*worker)) return Leave::not_yet;
  // Until then it is not known what went out to it, and the writer uses what let_go() takes away. Nobody else
  // takes the leave of a worker meanwhile, and nothing more is given to it.
  if (!worker->doomed) worker->doomed = worker->lost = true;
  written_.wait(lock, [&] { return !worker->writing; });
  worker->gone = true;
  std::erase(workers_, worker);
  if (!worker->ready && (!worker->doomed || worker->lost)) {
    auto failure = worker->unusable;
    if (failure == nullptr)
      failure = failure_of([&] {
        return std::make_exception_ptr(
            RuntimeError("a worker ended before it could take a task: " + worker->process->end_in_words()));
      });
    note_start_failure(std::move(failure));
  }
  take_back(*worker, deliveries);
  replace_missing();
  dispatch(deliveries);
  ++leaving_;
  return Leave::now;
}

// Without memory for what it still says it is looked at again.
bool PoolCore::has_surely_ended(Worker& worker) {
  try {
    return worker.process->advance();
  } catch (const std::bad_alloc&) {
    return false;
  }
}

bool PoolCore::more_to_read(Worker& worker) {
  try {
    return worker.reader.advance(*worker.channel) == TaskFrameReader::State::complete;
  } catch (const std::bad_alloc&) {
    return false;
  } catch (const std::length_error&) {
    return false;
  }
}

// In a callback of the loop, which has let go of a handle when cancel() returns.
void PoolCore::let_go(Worker& worker) {
  auto& loop = runtime::reactor();
  loop.cancel(worker.input);
  worker.ended->cancel();
  loop.cancel(worker.timer);
  loop.cancel(worker.kill_timer);
  worker.process->done_reading();
  worker.process.reset();
  worker.channel.reset();
  const auto feeder = std::exchange(worker.feeder, nullptr);
  feeder->stop(std::move(worker.let_go));
}

void PoolCore::note_let_go() {
  const std::scoped_lock lock(mutex_);
  --leaving_;
  if (workers_have_ended()) changed_.notify_all();  // who waits for all is not woken by each
}

// A worker begins a task when it has all of it. So one whose last byte was not read has not begun; of several
// that is known of the last alone. But what comes back time and again, or is large, may be what its workers
// die of.
bool PoolCore::was_not_read(const Worker& worker, Assignment& head, bool alone) noexcept {
  constexpr unsigned returns_at_most = 10;
  const bool unwritten = head.number > worker.flushed;
  const bool unread = alone && head.wire_size <= Worker::written_at_once && worker.channel->left_unread();
  return (unwritten || unread) && ++head.returns <= returns_at_most;
}

void PoolCore::take_back(Worker& worker, Deliveries& deliveries) {
  const bool alone = worker.sent.size() == 1;
  while (worker.sent.size() > 1) hand_last_out_again(worker.sent);
  if (worker.sent.empty()) return;
  auto& head = worker.sent.front();
  const bool innocent = worker.doomed && !worker.lost;  // it was stopped for what is answered already
  const bool unanswered = head.job->wanted() && head.left() > 0;
  if (unanswered && !innocent && !was_not_read(worker, head, alone)) {
    if (head.one_by_one || head.left() == 1)
      blame(worker, head, deliveries);
    else
      head.one_by_one = true;  // nobody knows which of them it was; the next time it will be known
  }
  hand_last_out_again(worker.sent);
}

void PoolCore::hand_last_out_again(Assignments& sent) noexcept {
  const auto last = std::prev(sent.end());
  if (last->job->wanted() && last->left() > 0)
    again_.splice(again_.begin(), sent, last);
  else
    sent.erase(last);
}

void PoolCore::blame(Worker& worker, Assignment& head, Deliveries& deliveries) {
  try {
    if (runtime::log_enabled(Level::info))
      deliveries.log.push_back("a worker (pid " + std::to_string(worker.pid) + ") died in task " +
                               std::to_string(head.chunk.first + head.done) + ": " +
                               worker.process->end_in_words());
  } catch (const std::bad_alloc&) {
    // The task is told, or run again, in any case.
  }
  if (head.kills < head.job->options().retries.value_or(settings_.retries)) {
    ++head.kills;
    return;
  }
  answer(head, deliveries, [&](std::uint64_t task) {
    const auto status = worker.process->exit_status().value_or(platform::ExitStatus{});
    return WorkerDied(worker.pid, status.code, worker.process->end_in_words(),
                      static_cast<std::size_t>(task));
  });
}

}  // namespace multiprocessing::detail
