// Waiting that a StopToken can end: for one handle, and for any of many, where the decision is made whether a
// thread keeps its set of handles for the next time.
#include "support/wait.hpp"

#include <multiprocessing/errors.hpp>
#include <multiprocessing/wait.hpp>

#include <algorithm>
#include <memory>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/process.hpp"
#include "kept_wait_set.hpp"
#include "support/deadline.hpp"
#include "support/errors.hpp"

namespace multiprocessing {
namespace runtime {
namespace {

[[noreturn]] void throw_cancelled() { throw CancelledError("waiting was given up: a stop was requested"); }

/// Fewer handles are passed to the system each time: that is as fast, and no handle of ours stays open.
constexpr std::size_t smallest_kept = 32;

/// What a thread remembers of its last wait for many things. To build a set costs more than a wait without
/// one, so it is built when a list comes for the second time, or nearly so.
class ThreadMemory {
 public:
  /// The set for this list; null if it does not pay or cannot be. Valid until the next call.
  [[nodiscard]] KeptWaitSet* set_for(std::span<const Waitable> list);
  void drop() noexcept;

 private:
  [[nodiscard]] bool resembles_last(std::span<const Waitable> list) const noexcept;

  std::unique_ptr<KeptWaitSet> kept_;
  std::vector<Waitable> last_;  ///< while nothing is kept
  int pid_ = 0;                 ///< the process that all this belongs to
};

thread_local ThreadMemory memory;

/// Whether every element can be told from a later one with the same handle.
bool can_be_kept(std::span<const Waitable> list) {
  return list.size() >= smallest_kept && platform::capabilities().kept_wait_sets &&
         std::ranges::none_of(list, [](const Waitable& waitable) { return waitable.identity() == 0; });
}

KeptWaitSet* ThreadMemory::set_for(std::span<const Waitable> list) {
  if (!can_be_kept(list)) {
    drop();
    return nullptr;
  }
  if (const int pid = platform::current_pid(); pid_ != pid) {
    // After somebody else's fork(): the kernel's set is shared with the parent, or not there at all. Closing
    // it could close a stranger, so it is left behind.
    static_cast<void>(kept_.release());
    last_.clear();
    pid_ = pid;
  }
  // Out of kept_ while it is worked on: what throws or fails leaves nothing half done.
  std::unique_ptr<KeptWaitSet> kept = std::move(kept_);
  if (kept != nullptr) {
    if (kept->update(list)) kept_ = std::move(kept);
  } else if (resembles_last(list)) {
    kept_ = KeptWaitSet::create(list);
  }
  if (kept_ != nullptr)
    last_.clear();
  else
    last_.assign(list.begin(), list.end());
  return kept_.get();
}

void ThreadMemory::drop() noexcept {
  kept_.reset();
  last_.clear();
}

/// Half of it at the front is enough: the ended ones have been taken out, or new ones added.
bool ThreadMemory::resembles_last(std::span<const Waitable> list) const noexcept {
  const auto same = std::ranges::mismatch(last_, list).in1 - last_.begin();
  return static_cast<std::size_t>(same) * 2 >= std::max(last_.size(), list.size());
}

/// Without a set: every handle is handed to the system.
KeptWaitSet::Ready wait_plainly(std::span<const Waitable> list, platform::Deadline deadline,
                                const platform::Wakeup* wakeup) {
  std::vector<platform::RawHandle> handles;
  handles.reserve(list.size() + 1);
  for (const Waitable& waitable : list)
    handles.push_back((platform::RawHandle)waitable.native_handle().native());
  if (wakeup != nullptr) handles.push_back(wakeup->waitable());
  KeptWaitSet::Ready answer{value_or_throw(platform::wait_any(handles, deadline)), false};
  if (!answer.positions.empty() && answer.positions.back() == list.size()) {
    answer.positions.pop_back();
    answer.woken = true;
  }
  return answer;
}

KeptWaitSet::Ready wait_somehow(std::span<const Waitable> list, platform::Deadline deadline,
                                const platform::Wakeup* wakeup) {
  if (KeptWaitSet* kept = memory.set_for(list)) {
    if (auto answer = kept->wait(deadline, wakeup)) return *std::move(answer);
    memory.drop();
  }
  return wait_plainly(list, deadline, wakeup);
}

}  // namespace

StopWakeup::StopWakeup(const StopToken& stop) {
  if (!stop.stop_possible()) return;
  wakeup_.emplace(value_or_throw(platform::Wakeup::create()));
  callback_.emplace(stop, [this] { wakeup_->notify(); });
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

void drop_kept_wait_set() noexcept { memory.drop(); }

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
