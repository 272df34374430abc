// From the span that a caller of the library gives to the point in time that the platform wants.
#pragma once

#include <multiprocessing/duration.hpp>

#include "contract/clock.hpp"

namespace multiprocessing::runtime {

/// `infinite` is never(); zero and less are now().
[[nodiscard]] inline platform::Deadline deadline_after(Duration span) noexcept {
  return span.is_infinite() ? platform::Deadline::never() : platform::Deadline::after(span.nanoseconds());
}

/// What is left until then; `infinite` for never(), zero when it has passed.
[[nodiscard]] inline Duration remaining(platform::Deadline deadline) noexcept {
  return deadline.is_never() ? infinite : Duration(deadline.remaining());
}

}  // namespace multiprocessing::runtime
