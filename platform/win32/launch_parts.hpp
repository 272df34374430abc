// What launch() and a process's changes to itself have in common: standard streams, priorities, consoles.
#pragma once

#include <array>

#include "contract/process.hpp"
#include "win32.hpp"

namespace multiprocessing::platform::win32 {

inline constexpr std::array<DWORD, 3> standard_streams = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
                                                          STD_ERROR_HANDLE};

/// A handle of its own for the stream: a duplicate of the bound one or of this process's, or the null device.
/// Empty if it inherits a stream that is closed here. Errors: those of opening and duplicating.
[[nodiscard]] Result<Handle> open_stream(const StreamBinding& binding, std::size_t stream,
                                         BOOL inheritable) noexcept;

/// The flag of CreateProcessW; 0 for normal, so that the child keeps a lower class of its parent.
[[nodiscard]] DWORD priority_flags(PriorityClass priority) noexcept;

/// Whether this process is attached to a console, seen or unseen.
[[nodiscard]] bool has_console() noexcept;

}  // namespace multiprocessing::platform::win32
