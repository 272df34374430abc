// How many processors this process may use. Leaves: linux/processors.cpp, macos/executable.cpp,
// freebsd/system.cpp.
#pragma once

#include <optional>

namespace multiprocessing::platform::posix {

/// By affinity.
[[nodiscard]] std::optional<int> allowed_processors() noexcept;
/// By a limit on processor time, rounded up.
[[nodiscard]] std::optional<int> processor_quota();

}  // namespace multiprocessing::platform::posix
