// TimeLimit: a deadline that knows the one around it.
#include <multiprocessing/errors.hpp>
#include <multiprocessing/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>

#include "contract/process.hpp"
#include "contract/system.hpp"
#include "support/deadline.hpp"
#include "support/errors.hpp"
#include "support/reactor.hpp"

namespace multiprocessing {

struct TimeLimit::State {
  Duration span = infinite;  ///< as it was asked for, for messages
  platform::Deadline deadline = platform::Deadline::never();
  State* outer = nullptr;

  /// What token() needs, made when it is first called.
  std::mutex mutex;
  std::optional<StopSource> source;
  std::optional<platform::EventLoop::Id> timer;
  int timer_pid = 0;  ///< a forked child inherits the limit, not the timer

  /// The limit that was made last in this thread and is still alive.
  static thread_local State* innermost;

  StopToken token();
  void stop_timer() noexcept;
};

constinit thread_local TimeLimit::State* TimeLimit::State::innermost = nullptr;

namespace {

/// The application's callbacks may block; the reactor must not. Nor may they wait for each other.
void request_stop_aside(StopSource due) {
  if (!platform::run_in_background([due]() mutable { due.request_stop(); })) due.request_stop();
}

}  // namespace

// The mutex is held for what is the limit's own, and never while the reactor or a callback has a word: a fork
// may come between, and its child has to find the mutex free.
StopToken TimeLimit::State::token() {
  std::unique_lock lock(mutex);
  if (!source) source.emplace();
  StopSource due = *source;
  if (timer_pid == platform::current_pid()) return due.token();
  lock.unlock();
  std::optional<platform::EventLoop::Id> made;
  if (deadline.expired())
    due.request_stop();
  else if (!deadline.is_never())
    made = runtime::value_or_throw(runtime::reactor().at(deadline, [due] { request_stop_aside(due); }));
  lock.lock();
  const bool first = timer_pid != platform::current_pid();
  if (first) {
    timer = made;
    timer_pid = platform::current_pid();  // what failed is tried again by the next token()
  }
  lock.unlock();
  if (!first && made) runtime::reactor().cancel(*made);
  return due.token();
}

void TimeLimit::State::stop_timer() noexcept {
  if (timer && timer_pid == platform::current_pid()) runtime::reactor().cancel(*timer);
}

TimeLimit::TimeLimit(Duration limit) : state_(std::make_unique<State>()) {
  state_->span = limit;
  state_->deadline = runtime::deadline_after(limit);
  state_->outer = State::innermost;
  if (state_->outer != nullptr) state_->deadline = std::min(state_->deadline, state_->outer->deadline);
  State::innermost = state_.get();
}

TimeLimit::~TimeLimit() {
  if (State::innermost == state_.get()) State::innermost = state_->outer;
  state_->stop_timer();
}

void TimeLimit::check() const {
  if (!expired()) return;
  if (state_->span.is_infinite()) throw TimeOutException("the time limit around this one is over");
  char text[64];
  std::snprintf(text, sizeof text, "the time limit of %g s is over",
                std::chrono::duration<double>(state_->span.nanoseconds()).count());
  throw TimeOutException(text);
}

bool TimeLimit::expired() const noexcept { return state_->deadline.expired(); }

Duration TimeLimit::remaining() const noexcept { return runtime::remaining(state_->deadline); }

StopToken TimeLimit::token() const { return state_->token(); }

}  // namespace multiprocessing
