// The one place where errno becomes a Condition.
#pragma once

#include "contract/error.hpp"

namespace multiprocessing::platform::posix {

[[nodiscard]] Condition condition_of(int native) noexcept;
/// A failure with this errno; `call` is a string literal.
[[nodiscard]] Error error_of(int native, const char* call) noexcept;
/// A failure with the current errno.
[[nodiscard]] Error last_error(const char* call) noexcept;
/// As error_of, for calls that make a process or a thread: there EAGAIN means that there may be no more.
[[nodiscard]] Error start_error(int native, const char* call) noexcept;

}  // namespace multiprocessing::platform::posix
