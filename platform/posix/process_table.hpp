// What the system's table of processes says about one of them. Leaves: linux/proc.cpp,
// macos/process_table.cpp, freebsd/system.cpp.
#pragma once

#include <cstdint>
#include <optional>

#include "contract/error.hpp"

namespace multiprocessing::platform::posix {

struct ProcessRecord {
  std::uint64_t start_time = 0;  ///< 0: unknown
  bool ended = false;            ///< waits to be reaped
};
/// Errors: gone; out_of_handles (it runs, and nothing more can be read).
[[nodiscard]] Result<ProcessRecord> look_up_process(int pid) noexcept;

/// Whether a process that was made by fork() has become a program since; false where nothing tells.
[[nodiscard]] bool has_executed(int pid) noexcept;

/// Threads of this process.
[[nodiscard]] std::optional<int> count_threads() noexcept;

}  // namespace multiprocessing::platform::posix
