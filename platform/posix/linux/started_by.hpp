// How this process's program was found by execve().
#pragma once

namespace multiprocessing::platform::posix {

/// By /proc/self/exe or by an open file, as this library's children are: then it runs its parent's build, and
/// its argv[0] is the program's path.
[[nodiscard]] bool started_by_link_or_descriptor() noexcept;

}  // namespace multiprocessing::platform::posix
