// The workers of a pool: how they are started, watched, stopped, and what is done when one dies.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
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

}  // namespace

// ---- starting

std::shared_ptr<PoolCore::Worker> PoolCore::start_worker() {
  auto [ours, theirs] = runtime::open_pool_channel();
  auto worker = std::make_shared<Worker>();
  worker->channel = std::move(ours);
  worker->feeder = std::make_shared<runtime::Feeder>(worker->channel);
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
  ProcessOptions options;
  options.name = worker_name(settings_);
  options.daemon = !settings_.executor;
  worker->process = std::make_shared<ProcessState>(StartWith{settings_.start_method.c_str(), "PoolWorker"},
                                                   options, nullptr);
  const runtime::KeptByChild kept(*theirs);
  runtime::WorkerSubject subject(std::move(theirs), settings_.initializer.get());
  subject.set_state(worker->process);
  worker->process->start(subject, true, {});
  worker->pid = worker->process->pid().value_or(0);
  return worker;
}

void PoolCore::add_worker(const std::shared_ptr<Worker>& worker) {
  try {
    auto& loop = runtime::reactor();
    const auto weak = weak_from_this();
    worker->ended = runtime::EndWatch::begin(worker->process, [weak, worker] {
      const auto self = weak.lock();
      return self != nullptr && self->on_ended(worker);
    });
    workers_.push_back(worker);
    const auto input = loop.watch(worker->channel->readable(), [weak, worker] {
      const auto self = weak.lock();
      return self != nullptr && self->on_input(worker);
    });
    if (!input) give_up(worker);  // its end will be seen
    worker->input = input ? *input : 0;
  } catch (...) {
    worker->process->kill_quietly();
    worker->process->done_reading();
    throw;
  }
  if (phase_ == Phase::terminated || broken_) doom(worker);
}

int PoolCore::missing() const {
  if (phase_ == Phase::terminated || broken_) return 0;
  if (runtime::exit_rule_has_begun() && !settings_.executor) return 0;
  if (phase_ == Phase::closed && open_.empty()) return 0;
  return settings_.processes - static_cast<int>(workers_.size()) - starting_;
}

void PoolCore::replace_missing() {
  if (keeping_up_ || missing() <= 0) return;
  // A worker that is forked there goes on with that thread's stack.
  const auto begun = platform::run_in_background([self = shared_from_this()] { self->keep_up(); },
                                                 platform::StackSize::as_first);
  keeping_up_ = static_cast<bool>(begun);
  if (begun) return;
  // No thread to be had now: later.
  static_cast<void>(runtime::reactor().at(platform::Deadline::after(grace), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    const std::scoped_lock lock(self->mutex_);
    self->replace_missing();
  }));
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
      worker = start_worker();
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
    if (!failure) continue;
    // With others at work it is a matter of patience: what is exhausted may be there again soon.
    if (workers_.empty()) note_start_failure(std::make_shared<TaskFailure>(failure));
    constexpr std::chrono::milliseconds pause(100);
    changed_.wait_for(lock, pause, [this] { return missing() <= 0; });
  }
  keeping_up_ = false;
  changed_.notify_all();
}

void PoolCore::note_start_failure(std::shared_ptr<const TaskFailure> failure) {
  const int tolerated = settings_.processes + 10;
  if (++start_failures_ <= tolerated || broken_) return;
  if (settings_.executor) {
    failure = std::make_shared<TaskFailure>([cause = std::move(failure)] {
      std::string text = "no worker of the executor could begin";
      try {
        std::rethrow_exception(cause->exception());
      } catch (const std::exception& error) {
        text += std::string(": ") + error.what();
      } catch (...) {
        text += ", for a reason that is no std::exception";
      }
      return std::make_exception_ptr(BrokenProcessPool(text));
    });
  }
  broken_ = std::move(failure);
  for (const auto& worker : workers_) doom(worker);
  // Told from the reactor, which holds no lock.
  runtime::reactor().post([self = shared_from_this()] { self->abort_all(self->broken_); });
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
  const auto timer = runtime::reactor().at(platform::Deadline::after(grace), [weak = std::weak_ptr(worker)] {
    const auto late = weak.lock();
    if (late != nullptr && !late->gone) late->process->kill_quietly();
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

void PoolCore::on_timer(const std::shared_ptr<Worker>& worker, platform::Deadline set_for) {
  Deliveries deliveries;
  time_over(worker, set_for, deliveries);
  deliver(deliveries);
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
  const auto seconds = std::chrono::duration<double>(head.job->options().timeout.nanoseconds()).count();
  const auto task = head.chunk.first + head.done;
  deliveries.results.push_back({head.job,
                                task,
                                1,
                                {},
                                std::make_shared<TaskFailure>(std::make_exception_ptr(
                                    TimeoutError("task " + std::to_string(task) + " took longer than " +
                                                 std::to_string(seconds) + " s; its worker was stopped")))});
  ++head.done;
  head.kills = head.returns = 0;
  doom(worker);
}

// ---- the reactor's callbacks

void PoolCore::on_written(const std::shared_ptr<Worker>& worker, std::uint64_t number) {
  const std::scoped_lock lock(mutex_);
  if (worker->gone) return;
  worker->written = std::max(worker->written, number);
  start_clock(worker);
}

bool PoolCore::on_input(const std::shared_ptr<Worker>& worker) {
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
}

bool PoolCore::on_ended(const std::shared_ptr<Worker>& worker) {
  Deliveries deliveries;
  const Leave leave = take_leave(worker, deliveries);
  // Of one whose end is not quite known, too: what it has reported is in nobody's hands but these.
  deliver(deliveries);
  if (leave != Leave::now) return leave == Leave::not_yet;
  // The loop lets go of the handles after this callback.
  runtime::reactor().post([self = shared_from_this(), worker] { self->let_go(*worker); });
  return false;
}

PoolCore::Leave PoolCore::take_leave(const std::shared_ptr<Worker>& worker, Deliveries& deliveries) {
  const std::scoped_lock lock(mutex_);
  if (worker->gone) return Leave::taken;
  while (read_results(worker, deliveries) && more_to_read(*worker))
    if (!take_frame(worker, deliveries)) break;
  if (!worker->process->advance()) return Leave::not_yet;
  worker->gone = true;
  std::erase(workers_, worker);
  if (!worker->ready && (!worker->doomed || worker->lost)) {
    auto failure = worker->unusable;
    if (failure == nullptr)
      failure = std::make_shared<TaskFailure>(std::make_exception_ptr(
          RuntimeError("a worker ended before it could take a task: " + worker->process->end_in_words())));
    note_start_failure(std::move(failure));
  }
  take_back(*worker, deliveries);
  replace_missing();
  dispatch(deliveries);
  ++leaving_;
  return Leave::now;
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
  feeder->stop([self = shared_from_this()] {
    const std::scoped_lock lock(self->mutex_);
    --self->leaving_;
    if (self->has_ended()) self->changed_.notify_all();  // who waits for all is not woken by each
  });
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
  while (worker.sent.size() > 1) {
    if (!worker.sent.back().job->over()) again_.push_front(std::move(worker.sent.back()));
    worker.sent.pop_back();
  }
  if (worker.sent.empty()) return;
  Assignment head = std::move(worker.sent.front());
  worker.sent.clear();
  if (head.job->over() || head.left() == 0) return;
  const bool innocent = worker.doomed && !worker.lost;  // it was stopped for what is answered already
  if (innocent || was_not_read(worker, head, alone)) {
    again_.push_front(std::move(head));
  } else if (head.one_by_one || head.left() == 1) {
    blame(worker, std::move(head), deliveries);
  } else {
    head.one_by_one = true;  // nobody knows which of them it was; the next time it will be known
    again_.push_front(std::move(head));
  }
}

void PoolCore::blame(Worker& worker, Assignment head, Deliveries& deliveries) {
  const auto task = head.chunk.first + head.done;
  const auto status = worker.process->exit_status().value_or(platform::ExitStatus{});
  const auto reason = worker.process->end_in_words();
  deliveries.log.push_back("a worker (pid " + std::to_string(worker.pid) + ") died in task " +
                           std::to_string(task) + ": " + reason);
  if (head.kills >= head.job->options().retries.value_or(settings_.retries)) {
    WorkerDied died(worker.pid, status.code, reason, static_cast<std::size_t>(task));
    deliveries.results.push_back({head.job, task, 1, {}, std::make_shared<TaskFailure>(std::move(died))});
    ++head.done;
    head.kills = head.returns = 0;
  } else {
    ++head.kills;
  }
  if (head.left() > 0) again_.push_front(std::move(head));
}

}  // namespace multiprocessing::detail
