// The one owner of a native handle in the whole library. A handle that is made by any function of the
// contract is close-on-exec / non-inheritable from birth and never one of the three standard streams.
#pragma once

#include <cstdint>
#include <utility>

#include "contract/error.hpp"

namespace multiprocessing::platform {

/// A file descriptor or a HANDLE, as a number. Each backend asserts that its type fits.
using RawHandle = std::intptr_t;

/// No handle. Backends turn their own spellings of it (NULL, INVALID_HANDLE_VALUE) into this one.
inline constexpr RawHandle no_handle = -1;

/// Closes it. Never fails in a way that a caller could mend; an interrupted close is not repeated.
/// Async-signal-safe. May not block but on network file systems.
void close_handle(RawHandle handle) noexcept;

/// Another handle to the same object, not inheritable, owned by the caller of `Handle{...}`.
/// Errors: out_of_handles, invalid_argument.
[[nodiscard]] Result<RawHandle> duplicate_handle(RawHandle handle) noexcept;

/// Sole owner of a native handle: closes it when it goes. Not thread-safe.
class Handle {
 public:
  Handle() noexcept = default;
  explicit Handle(RawHandle raw) noexcept : raw_(raw) {}
  Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, no_handle)) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) reset(std::exchange(other.raw_, no_handle));
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { reset(); }

  [[nodiscard]] RawHandle get() const noexcept { return raw_; }
  explicit operator bool() const noexcept { return raw_ != no_handle; }
  [[nodiscard]] RawHandle release() noexcept { return std::exchange(raw_, no_handle); }
  void reset(RawHandle raw = no_handle) noexcept {
    if (raw_ != no_handle) close_handle(raw_);
    raw_ = raw;
  }

 private:
  RawHandle raw_ = no_handle;
};

}  // namespace multiprocessing::platform
