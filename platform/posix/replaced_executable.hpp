// Whether ExecutablePath::launch starts the running build after its file was replaced. Leaves:
// linux/executable.cpp, macos/executable.cpp, freebsd/system.cpp.
#pragma once

namespace multiprocessing::platform::posix {

[[nodiscard]] bool replaced_executable_starts();

}  // namespace multiprocessing::platform::posix
