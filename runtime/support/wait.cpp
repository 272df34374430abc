// Waiting that a StopToken can end: for one handle, and for any of many.
#include "support/wait.hpp"

#include <multiprocessing/errors.hpp>
#include <multiprocessing/wait.hpp>

#include <array>
#include <span>
#include <vector>

#include "contract/process.hpp"
#include "kept_wait_set.hpp"
#include "support/deadline.hpp"
#include "support/errors.hpp"

namespace multiprocessing {
namespace runtime {
namespace {

[[noreturn]] void throw_cancelled() { throw CancelledError("waiting was given up: a stop was requested"); }

/// Without a set: every handle is handed to the system.
KeptWaitSet::Ready wait_plainly(std::span<const Waitable> list, platform::Deadline deadline,
                                const platform::Wakeup* wakeup) {
  const std::size_t size = list.size() + (wakeup != nullptr ? 1 : 0);
  std::array<platform::RawHandle, 32> few;
  std::vector<platform::RawHandle> many(size > few.size() ? size : 0);
  const auto handles = many.empty() ? std::span(few).first(size) : std::span(many);
  for (std::size_t i = 0; i < list.size(); ++i)
    handles[i] = (platform::RawHandle)list[i].native_handle().native();
  if (wakeup != nullptr) handles.back() = wakeup->waitable();
  KeptWaitSet::Ready answer{value_or_throw(platform::wait_any(handles, deadline)), false};
  if (!answer.positions.empty() && answer.positions.back() == list.size()) {
    answer.positions.pop_back();
    answer.woken = true;
  }
  return answer;
}

KeptWaitSet::Ready wait_somehow(std::span<const Waitable> list, platform::Deadline deadline,
                                const platform::Wakeup* wakeup) {
  if (KeptWaitSet* kept = kept_set_for(list)) {
    if (auto answer = kept->wait(deadline, wakeup)) return *std::move(answer);
    drop_kept_wait_set();
  }
  return wait_plainly(list, deadline, wakeup);
}

}  // namespace

StopWakeup::StopWakeup(const StopToken& stop) {
  if (!stop.stop_possible()) return;
  wakeup_.emplace(value_or_throw(platform::Wakeup::create()));
  // A forked child has a copy of the callback, and shares the wakeup with its parent.
  callback_.emplace(stop, [this, pid = platform::current_pid()] {
    if (platform::current_pid() == pid) wakeup_->notify();
  });
}

bool wait_for_handle(platform::RawHandle handle, platform::Deadline deadline, const StopToken& stop) {
  const StopWakeup wakeup(stop);
  if (wakeup.get() == nullptr) {
    const platform::Status status = platform::wait_one(handle, deadline);
    if (!status && status.error().condition == platform::Condition::timed_out) return false;
    value_or_throw(status);
    return true;
  }
  const platform::RawHandle handles[] = {handle, wakeup.get()->waitable()};
  const auto ready = value_or_throw(platform::wait_any(handles, deadline));
  if (ready.empty()) return false;
  if (ready.front() != 0) throw_cancelled();
  return true;
}

}  // namespace runtime

namespace detail {

std::vector<std::size_t> wait_for_any(std::span<const Waitable> waitables, Duration timeout,
                                      const StopToken& stop) {
  if (waitables.empty()) return {};
  const platform::Deadline deadline = runtime::deadline_after(timeout);
  const runtime::StopWakeup wakeup(stop);
  auto answer = runtime::wait_somehow(waitables, deadline, wakeup.get());
  if (answer.positions.empty() && answer.woken) runtime::throw_cancelled();
  return std::move(answer.positions);
}

}  // namespace detail
}  // namespace multiprocessing
