// Command lines: one string on Windows, taken apart again by each program.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "contract/error.hpp"

namespace multiprocessing::platform::win32 {

/// Quotes the arguments so that CommandLineToArgvW and the C runtime give them back as they are. Errors:
/// invalid_argument (a zero, malformed UTF-8, a quote in [0], which nothing can express), too_long.
[[nodiscard]] Result<std::wstring> join_command_line(std::span<const std::string> arguments);

/// The reverse, by the system's own rules.
[[nodiscard]] Result<std::vector<std::string>> split_command_line(const wchar_t* line);

}  // namespace multiprocessing::platform::win32
