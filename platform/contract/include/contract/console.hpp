// The terminal and the three standard streams.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "contract/handle.hpp"

namespace multiprocessing::platform {

enum class StandardStream : std::uint8_t { input, output, error };

/// Columns of the terminal behind the stream; nullopt if it is none.
[[nodiscard]] std::optional<int> terminal_width(StandardStream stream) noexcept;

/// Writes the text in one call, so that lines of several processes do not mix; goes on after a partial write.
/// UTF-8, also on a Windows console. What cannot be written is dropped: there is nowhere to say so.
/// Async-signal-safe on POSIX.
void write_to_standard_error(std::string_view text) noexcept;

/// In a child, first: opens the null device for each standard stream that is closed, so that no later handle
/// gets its number. Errors: out_of_handles.
[[nodiscard]] Status secure_standard_streams() noexcept;

/// In a child: a crash ends the process without a dialog or a question to the user.
void silence_crash_dialogs() noexcept;

}  // namespace multiprocessing::platform
