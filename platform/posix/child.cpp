// ChildProcess: watching and signalling one child, by its sentinel where that is a pidfd, else by its pid
// under the lock that guards reaping, so that a signal never reaches a later process with the same number.
// poll() reaps. A kqueue may become ready just before the child can be reaped: then poll waits these instants
// for it, without reaping and without the lock, so that send() goes on working. A pidfd is ready no sooner,
// unless a debugger has the child and reaps it first, when it likes: nothing here waits for that. A child
// that another process forked for us (handover.cpp) is not reaped here: that process tells, and may be
// stopped, so that nothing here waits for it. A child that is dropped while it runs goes onto a list that is
// looked through by each launch and poll. Manual pages: waitid(2), kill(2).
#include "child.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>

#include <poll.h>

#include "contract/fault.hpp"
#include "error.hpp"

namespace multiprocessing::platform {
namespace {

struct Dropped {
  std::mutex mutex;
  std::unique_ptr<ChildProcess::State> first;
  std::atomic<bool> any{false};
};

Dropped& dropped() {
  static auto& instance = *new Dropped;  // a ChildProcess may be destroyed during static destruction
  return instance;
}

bool is_ready(RawHandle handle) noexcept {
  pollfd entry{posix::to_fd(handle), POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;
}

int number_of(StopSignal signal) noexcept {
  switch (signal) {
    case StopSignal::interrupt:
      return SIGINT;
    case StopSignal::terminate:
      return SIGTERM;
    case StopSignal::kill:
      break;
  }
  return SIGKILL;
}

}  // namespace

std::optional<ExitStatus> ChildProcess::State::reap_locked() noexcept {
  if (status_) return status_;
  if (told_) return status_ = told_->ask();
  auto answer = exact_ ? posix::reap_by_sentinel(posix::to_fd(exact_.get())) : std::nullopt;
  asked_by_sentinel_ = answer.has_value();
  if (!answer) answer = posix::reap_by_pid(pid_);
  if (answer->kind != posix::ChildAnswer::Kind::running) status_ = answer->status;
  return status_;
}

std::optional<ExitStatus> ChildProcess::State::reap() noexcept {
  const std::lock_guard lock(mutex_);
  return reap_locked();
}

std::optional<ExitStatus> ChildProcess::State::poll() noexcept {
  const bool ready = is_ready(sentinel());  // asked first: what is ready now must be reaped below
  const auto status = reap();
  if (status || !ready) return status;
  if (told_) return missing_word();
  if (is_held_back()) return std::nullopt;
  posix::wait_for_end(pid_);
  return reap();
}

bool ChildProcess::State::is_held_back() noexcept {
  const std::lock_guard lock(mutex_);
  return asked_by_sentinel_ && !status_;
}

// It has ended. Whoever forked it learns that in the same moment, and tells how, unless he is gone or
// stopped.
bool ChildProcess::State::word_is_due() noexcept {
  constexpr std::chrono::seconds patience(5);
  if (!word_deadline_) word_deadline_ = Deadline::after(patience);
  return !told_->is_over() && !word_deadline_->expired();
}

std::optional<ExitStatus> ChildProcess::State::missing_word() noexcept {
  const std::lock_guard lock(mutex_);
  if (!reap_locked() && !word_is_due()) status_ = ExitStatus{};
  return status_;
}

std::optional<ExpectedWord> ChildProcess::State::expected_word() noexcept {
  constexpr std::chrono::milliseconds between_looks(2);
  if (!is_ready(sentinel())) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (reap_locked()) return std::nullopt;
  if (asked_by_sentinel_) return ExpectedWord{no_handle, Deadline::after(between_looks)};
  if (!told_ || !word_is_due()) return std::nullopt;
  return ExpectedWord{told_->readable(), *word_deadline_};
}

Status ChildProcess::State::signal(int number) noexcept {
  const std::lock_guard lock(mutex_);
  if (reap_locked()) return Error{Condition::gone, ESRCH, "kill"};
  if (exact_)
    if (const auto result = posix::signal_by_sentinel(posix::to_fd(exact_.get()), number)) {
      if (*result != 0) return posix::error_of(*result, "pidfd_send_signal");
      return {};
    }
  return signal_by_pid(number);
}

// The pid of a child is its own until it is reaped, which happens under the lock that the caller holds. When
// another process reaps it nothing can be held: who is behind the pid is looked at as late as possible.
Status ChildProcess::State::signal_by_pid(int number) const noexcept {
  if (told_ && !platform::is_alive({pid_, start_time_})) return Error{Condition::gone, ESRCH, "kill"};
  if (::kill(pid_, number) != 0) return posix::last_error("kill");
  return {};
}

ChildProcess::ChildProcess() noexcept = default;
ChildProcess::ChildProcess(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    if (state_) posix::drop_child(std::move(state_));
    state_ = std::move(other.state_);
  }
  return *this;
}

ChildProcess::~ChildProcess() {
  if (state_) posix::drop_child(std::move(state_));
}

int ChildProcess::pid() const noexcept { return state_ ? state_->pid() : 0; }

RawHandle ChildProcess::sentinel() const noexcept { return state_ ? state_->sentinel() : no_handle; }

std::optional<ExitStatus> ChildProcess::poll() noexcept {
  if (!state_) return ExitStatus{};
  posix::reap_dropped_children();
  return state_->poll();
}

std::optional<ExpectedWord> ChildProcess::expected_word() const noexcept {
  return state_ ? state_->expected_word() : std::nullopt;
}

Status ChildProcess::send(StopSignal signal) noexcept {
  if (auto failure = fault_point(Call::child_send)) return *failure;
  if (!state_) return Error{Condition::gone, ESRCH, "kill"};
  return state_->signal(number_of(signal));
}

namespace posix {

void reap_dropped_children() {
  Dropped& list = dropped();
  if (!list.any) return;
  const std::lock_guard lock(list.mutex);
  for (auto* place = &list.first; *place != nullptr;)
    if ((*place)->reap())
      *place = std::move((*place)->next_dropped);
    else
      place = &(*place)->next_dropped;
  list.any = list.first != nullptr;
}

void drop_child(std::unique_ptr<ChildProcess::State> child) noexcept {
  if (!child->is_ours_to_reap() || child->reap()) return;
  Dropped& list = dropped();
  const std::lock_guard lock(list.mutex);
  child->next_dropped = std::move(list.first);
  list.first = std::move(child);
  list.any = true;
}

std::unique_lock<std::mutex> hold_dropped_children() { return std::unique_lock(dropped().mutex); }

void forget_dropped_children() {
  // One by one, not each by the one before it.
  while (dropped().first) dropped().first = std::move(dropped().first->next_dropped);
  dropped().any = false;
}

}  // namespace posix
}  // namespace multiprocessing::platform
