// Blocks of environment variables.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "contract/error.hpp"

namespace multiprocessing::platform::win32 {

using Variable = std::pair<std::wstring, std::wstring>;

/// "NAME=value" each. Errors: invalid_argument for one without a name, or with a zero in it.
[[nodiscard]] Result<std::vector<Variable>> split_environment(const std::vector<std::string>& environment);

/// As CreateProcessW takes it: sorted by name without regard to case, each ended by a zero, one more at the
/// end. SystemRoot is added if it is missing: without it the system's own libraries do not load.
[[nodiscard]] Result<std::wstring> environment_block(const std::vector<std::string>& environment);

/// The names of this process's variables, without the hidden ones ("=C:").
[[nodiscard]] std::vector<std::wstring> variable_names();

}  // namespace multiprocessing::platform::win32
