// Waiting for native handles inside the backend: no fault points, no checks of the contract.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "win32.hpp"

namespace multiprocessing::platform::win32 {

/// Position of the first ready one of at most MAXIMUM_WAIT_OBJECTS handles. Errors: timed_out, and what
/// the system says of a handle that cannot be waited on.
[[nodiscard]] Result<std::size_t> wait_for_first(std::span<const HANDLE> handles, Deadline deadline) noexcept;

/// Calls `ready(position)` for each handle that is ready now. Asks for 64 at once, so that what it costs
/// depends mostly on how many are ready. Errors: as wait_for_first, without timed_out.
template <class Ready>
[[nodiscard]] Status visit_ready(std::span<const HANDLE> handles, Ready ready) {
  for (std::size_t begin = 0; begin < handles.size();) {
    const std::size_t count = std::min<std::size_t>(handles.size() - begin, MAXIMUM_WAIT_OBJECTS);
    const auto first = wait_for_first(handles.subspan(begin, count), Deadline::now());
    if (first) {
      ready(begin + *first);
      begin += *first + 1;
    } else if (first.error().condition == Condition::timed_out) {
      begin += count;
    } else {
      return first.error();
    }
  }
  return {};
}

/// Whether a pending operation is over. Its event is set last: if the next one began before that, it would
/// find the event set by this one, and be taken for completed.
inline bool is_over(const OVERLAPPED& operation, const Handle& event) noexcept {
  return HasOverlappedIoCompleted(&operation) && WaitForSingleObject(native(event), 0) == WAIT_OBJECT_0;
}

/// Cancels a pending operation; when it returns the system writes nothing into it any more. Not by
/// GetOverlappedResult, for which the event alone counts: an end of the stream that was seen by other means
/// has set it, while the operation that ends by the same is still to be completed, by the thread that began
/// it.
inline void give_up(RawHandle file, OVERLAPPED& operation, const Handle& event) noexcept {
  CancelIoEx(native(file), &operation);
  ResetEvent(native(event));
  if (!HasOverlappedIoCompleted(&operation)) WaitForSingleObject(native(event), INFINITE);
}

}  // namespace multiprocessing::platform::win32
