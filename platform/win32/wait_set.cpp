// A set of handles that is kept between waits. Up to 64 are waited on directly. Beyond, each is armed in
// the system's thread pool, which sets the set's event; an armed wait stays armed until its handle was
// ready, so that a wait costs one look at the handles in groups of 64 and no new registration.
#include <algorithm>
#include <memory>
#include <unordered_set>
#include <vector>

#include "contract/fault.hpp"
#include "contract/wait.hpp"
#include "pool_wait.hpp"
#include "waiting.hpp"

namespace multiprocessing::platform {

using namespace win32;

/// The three lists run in parallel; `handles` alone is what the system is asked about.
class WaitSet::State {
 public:
  explicit State(Handle signal) noexcept : signal_(std::move(signal)) {}

  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }

  Status add(RawHandle handle, std::size_t key) {
    const HANDLE added = native(handle);
    if (taken_keys_.contains(key) || taken_handles_.contains(added)) {
      return Error{Condition::already_exists, 0, "WaitSet::add"};
    }
    taken_keys_.insert(key);
    taken_handles_.insert(added);
    handles_.push_back(added);
    keys_.push_back(key);
    waits_.emplace_back();
    return {};
  }

  Status remove(std::size_t key) {
    const auto found = std::find(keys_.begin(), keys_.end(), key);
    if (found == keys_.end()) return Error{Condition::not_found, 0, "WaitSet::remove"};
    const auto index = found - keys_.begin();
    taken_keys_.erase(key);
    taken_handles_.erase(handles_[static_cast<std::size_t>(index)]);
    waits_.erase(waits_.begin() + index);
    handles_.erase(handles_.begin() + index);
    keys_.erase(found);
    return {};
  }

  Status wait(std::vector<std::size_t>& ready, Deadline deadline) {
    for (;;) {
      ResetEvent(native(signal_));
      auto status = visit_ready(handles_, [&](std::size_t index) { ready.push_back(keys_[index]); });
      if (!status || !ready.empty() || deadline.expired()) return status;
      status = sleep(deadline);
      if (!status && status.error().condition != Condition::timed_out) return status;
    }
  }

 private:
  /// Until a handle may have become ready.
  Status sleep(Deadline deadline) {
    const HANDLE signal = native(signal_);
    std::span<const HANDLE> waited(&signal, 1);
    if (!handles_.empty() && handles_.size() <= MAXIMUM_WAIT_OBJECTS) {
      waited = handles_;
    } else if (auto status = arm_all(); !status) {
      return status;
    }
    const auto woken = wait_for_first(waited, deadline);
    if (!woken) return woken.error();
    return {};
  }

  Status arm_all() {
    for (std::size_t i = 0; i < waits_.size(); ++i) {
      if (waits_[i] == nullptr) waits_[i] = PoolWait::create(handles_[i], native(signal_));
      if (waits_[i] == nullptr) return last_error("CreateThreadpoolWait");
      waits_[i]->arm();
    }
    return {};
  }

  Handle signal_;
  std::unordered_set<std::size_t> taken_keys_;
  std::unordered_set<HANDLE> taken_handles_;
  std::vector<HANDLE> handles_;
  std::vector<std::size_t> keys_;
  std::vector<std::unique_ptr<PoolWait>> waits_;  // made when first needed; go before the event they set
};

WaitSet::WaitSet(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
WaitSet::WaitSet(WaitSet&&) noexcept = default;
WaitSet& WaitSet::operator=(WaitSet&&) noexcept = default;
WaitSet::~WaitSet() = default;

Result<WaitSet> WaitSet::create() {
  if (const auto fault = fault_point(Call::wait_set_create)) return *fault;
  auto signal = make_event();
  if (!signal) return signal.error();
  return WaitSet(std::make_unique<State>(std::move(*signal)));
}

Status WaitSet::add(RawHandle handle, std::size_t key) {
  if (const auto fault = fault_point(Call::wait_set_add)) return *fault;
  if (!is_kernel_handle(handle)) return mistake("WaitSet::add");
  const HANDLE looked_at = native(handle);
  const auto usable = wait_for_first(std::span(&looked_at, 1), Deadline::now());
  if (!usable && usable.error().condition != Condition::timed_out) return usable.error();
  return state_->add(handle, key);
}

Status WaitSet::remove(std::size_t key) { return state_->remove(key); }

Status WaitSet::wait(std::vector<std::size_t>& ready, Deadline deadline) {
  ready.clear();
  if (const auto fault = fault_point(Call::wait_set_wait)) return *fault;
  return state_->wait(ready, deadline);
}

std::size_t WaitSet::size() const noexcept { return state_->size(); }

}  // namespace multiprocessing::platform
