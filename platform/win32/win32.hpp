// The one place where the backend includes windows.h, and the few words that every file of it needs:
// handles as numbers, errors of the system as Conditions, wide text.
#pragma once

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include <string>
#include <string_view>

#include "contract/clock.hpp"
#include "contract/error.hpp"
#include "contract/handle.hpp"

namespace multiprocessing::platform::win32 {

static_assert(sizeof(RawHandle) == sizeof(HANDLE));

[[nodiscard]] inline HANDLE native(RawHandle handle) noexcept { return reinterpret_cast<HANDLE>(handle); }
[[nodiscard]] inline HANDLE native(const Handle& handle) noexcept { return native(handle.get()); }

/// NULL and INVALID_HANDLE_VALUE both become no_handle.
[[nodiscard]] inline RawHandle raw(HANDLE handle) noexcept {
  return handle == nullptr ? no_handle : reinterpret_cast<RawHandle>(handle);
}

/// Handles of kernel objects are positive numbers. The negative ones are pseudo handles: INVALID_HANDLE_VALUE
/// is this process itself, on which a wait would never end.
[[nodiscard]] constexpr bool is_kernel_handle(RawHandle handle) noexcept { return handle > 0; }

/// The one translation of native codes.
[[nodiscard]] Condition condition_of(DWORD code) noexcept;
[[nodiscard]] Error error_of(DWORD code, const char* call) noexcept;
[[nodiscard]] Error last_error(const char* call) noexcept;
[[nodiscard]] inline Error mistake(const char* call) noexcept {
  return {Condition::invalid_argument, 0, call};
}

/// As the milliseconds of a wait function.
[[nodiscard]] inline DWORD milliseconds(Deadline deadline) noexcept {
  return deadline.is_never() ? INFINITE : static_cast<DWORD>(deadline.remaining_milliseconds());
}

/// UTF-8 to UTF-16 and back; strict: what is malformed, or holds a zero, is invalid_argument.
[[nodiscard]] Result<std::wstring> widen(std::string_view text);
[[nodiscard]] Result<std::string> narrow(std::wstring_view text);
/// For text that the system gave us and that cannot be refused: what is malformed becomes U+FFFD.
[[nodiscard]] std::string narrow_lossy(std::wstring_view text);

/// A path as the system's calls take it however long it is: absolute ones of more than 248 characters get the
/// prefix that lifts the limit.
[[nodiscard]] Result<std::wstring> widen_path(std::string_view path);

/// Grows the buffer until `fill(buffer, size)`, a call that returns how many characters it needs or has
/// written, is content; empty if it returns 0.
template <class Fill>
[[nodiscard]] std::wstring grown_text(Fill fill) {
  std::wstring text(MAX_PATH, L'\0');
  for (;;) {
    const DWORD size = fill(text.data(), static_cast<DWORD>(text.size()));
    if (size < text.size()) {
      text.resize(size);
      return text;
    }
    text.resize(text.size() * 2);
  }
}

/// Not signalled, not inheritable, manual reset.
[[nodiscard]] Result<Handle> make_event();

}  // namespace multiprocessing::platform::win32
