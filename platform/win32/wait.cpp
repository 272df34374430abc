// Waiting: WaitForMultipleObjects for up to 64 handles, the system's thread pool beyond. The pool only ever
// says that something happened; what is ready is then asked of the handles themselves, in groups of 64, so
// that the answer is complete and a level, not an edge. A Wakeup is a manual-reset event.
// Handles that a wait consumes (auto-reset events, semaphores) are consumed by wait_one and wait_any, as
// everywhere on Windows; in a WaitSet of more than 64 they would be consumed by the pool, and belong
// elsewhere.
#include "contract/wait.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <unordered_map>

#include "contract/fault.hpp"
#include "pool_wait.hpp"
#include "waiting.hpp"

namespace multiprocessing::platform {

using namespace win32;

Result<std::size_t> win32::wait_for_first(std::span<const HANDLE> handles, Deadline deadline) noexcept {
  const auto count = static_cast<DWORD>(handles.size());
  for (;;) {
    const DWORD answer = WaitForMultipleObjects(count, handles.data(), FALSE, milliseconds(deadline));
    if (answer < WAIT_OBJECT_0 + count) return std::size_t{answer - WAIT_OBJECT_0};
    if (answer >= WAIT_ABANDONED_0 && answer < WAIT_ABANDONED_0 + count)
      return std::size_t{answer - WAIT_ABANDONED_0};
    if (answer != WAIT_TIMEOUT) return last_error("WaitForMultipleObjects");
    if (deadline.expired()) return Error{Condition::timed_out, 0, "WaitForMultipleObjects"};
  }
}

namespace {

/// The distinct handles of a list, and where each stands in it.
struct Distinct {
  std::vector<HANDLE> handles;
  std::vector<std::vector<std::size_t>> positions;

  explicit Distinct(std::span<const RawHandle> list) {
    std::unordered_map<RawHandle, std::size_t> known;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto [entry, added] = known.try_emplace(list[i], handles.size());
      if (added) {
        handles.push_back(native(list[i]));
        positions.emplace_back();
      }
      positions[entry->second].push_back(i);
    }
  }
};

/// Puts the indices of the ready handles into `ready`.
Status collect_ready(std::span<const HANDLE> handles, std::vector<std::size_t>& ready) {
  return visit_ready(handles, [&](std::size_t index) { ready.push_back(index); });
}

/// Waits on few handles; the one that ended the wait is reported even if the wait consumed it.
Status wait_few(std::span<const HANDLE> handles, Deadline deadline, std::vector<std::size_t>& ready) {
  const auto first = wait_for_first(handles, deadline);
  if (!first) return first.error();
  ready.push_back(*first);
  const std::size_t offset = *first + 1;
  return visit_ready(handles.subspan(offset), [&](std::size_t index) { ready.push_back(offset + index); });
}

/// Waits on many handles through the pool, for the length of one call.
Status wait_many(std::span<const HANDLE> handles, Deadline deadline, std::vector<std::size_t>& ready) {
  auto signal = make_event();
  if (!signal) return signal.error();
  std::vector<std::unique_ptr<PoolWait>> waits;
  for (HANDLE handle : handles) {
    waits.push_back(PoolWait::create(handle, native(*signal)));
    if (waits.back() == nullptr) return last_error("CreateThreadpoolWait");
    waits.back()->arm();
  }
  const HANDLE wake = native(*signal);
  const auto woken = wait_for_first(std::span(&wake, 1), deadline);
  if (!woken) return woken.error();
  for (const auto& wait : waits) wait->disarm();
  std::vector<std::size_t> seen;
  if (auto status = collect_ready(handles, seen); !status) return status;
  for (std::size_t i = 0; i < waits.size(); ++i) {
    if (waits[i]->fired() || std::binary_search(seen.begin(), seen.end(), i)) ready.push_back(i);
  }
  return {};
}

Status wait_distinct(std::span<const HANDLE> handles, Deadline deadline, std::vector<std::size_t>& ready) {
  if (handles.size() <= MAXIMUM_WAIT_OBJECTS) return wait_few(handles, deadline, ready);
  if (auto status = collect_ready(handles, ready); !status || !ready.empty()) return status;
  if (deadline.expired()) return Error{Condition::timed_out, 0, "wait_any"};
  return wait_many(handles, deadline, ready);
}

}  // namespace

Status wait_one(RawHandle handle, Deadline deadline) noexcept {
  if (const auto fault = fault_point(Call::wait_one)) return *fault;
  if (!is_kernel_handle(handle)) return mistake("wait_one");
  const HANDLE waited = native(handle);
  const auto ready = wait_for_first(std::span(&waited, 1), deadline);
  if (!ready) return ready.error();
  return {};
}

Result<std::size_t> wait_either(RawHandle first, RawHandle second, Deadline deadline) noexcept {
  if (const auto fault = fault_point(Call::wait_either)) return *fault;
  if (!is_kernel_handle(first) || !is_kernel_handle(second)) return mistake("wait_either");
  // The system refuses one handle that is there twice.
  const std::array waited = {native(first), native(second)};
  return wait_for_first(std::span(waited).first(first == second ? 1 : 2), deadline);
}

Result<std::vector<std::size_t>> wait_any(std::span<const RawHandle> handles, Deadline deadline) {
  if (const auto fault = fault_point(Call::wait_any)) return *fault;
  std::vector<std::size_t> result;
  if (handles.empty()) return result;
  if (!std::all_of(handles.begin(), handles.end(), is_kernel_handle)) return mistake("wait_any");
  const Distinct distinct(handles);
  std::vector<std::size_t> ready;
  const auto status = wait_distinct(distinct.handles, deadline, ready);
  if (!status && status.error().condition == Condition::timed_out) return result;
  if (!status) return status.error();
  for (const std::size_t index : ready) {
    result.insert(result.end(), distinct.positions[index].begin(), distinct.positions[index].end());
  }
  std::sort(result.begin(), result.end());
  return result;
}

Result<Wakeup> Wakeup::create() {
  if (const auto fault = fault_point(Call::wakeup_create)) return *fault;
  auto event = make_event();
  if (!event) return event.error();
  Wakeup wakeup;
  wakeup.read_ = std::move(*event);
  return wakeup;
}

void Wakeup::notify() const noexcept { SetEvent(native(read_)); }
void Wakeup::reset() const noexcept { ResetEvent(native(read_)); }

Result<Handle> win32::make_event() {
  const HANDLE event = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  if (event == nullptr) return last_error("CreateEventW");
  return Handle(raw(event));
}

}  // namespace multiprocessing::platform
