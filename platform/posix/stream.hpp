// Reading and writing descriptors without waiting and without SIGPIPE; waiting for them.
#pragma once

#include <cstddef>
#include <span>

#include "contract/clock.hpp"
#include "contract/wait.hpp"

namespace multiprocessing::platform::posix {

/// write() that reports a gone reader as EPIPE and never by a signal. Async-signal-safe.
[[nodiscard]] long write_quietly(int fd, const void* data, std::size_t size) noexcept;

/// Waits until the descriptor can be read (or written), the wakeup fires, or the deadline passes.
/// Errors: cancelled, timed_out.
[[nodiscard]] Status wait_for_stream(int fd, short events, Deadline deadline, const Wakeup* wakeup) noexcept;

}  // namespace multiprocessing::platform::posix
