// Facts about this process and this machine, and threads that take no signals.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "contract/handle.hpp"

namespace multiprocessing::platform {

/// Where this program's file is.
struct ExecutablePath {
  std::string launch;  ///< starts the running build even if the file was replaced or deleted, where the
                       ///< system can (/proc/self/exe)
  std::string real;  ///< its path in UTF-8 when it was first asked for, for people and for launchers such as
                     ///< an emulator; may not exist any more
};
/// Errors: not_found, not_supported, too_long.
[[nodiscard]] Result<ExecutablePath> executable_path();

/// The command line in UTF-8, [0] included: what main() got, or better where that is not UTF-8.
/// Errors: not_supported where the system does not keep it.
[[nodiscard]] Result<std::vector<std::string>> command_line();

/// Logical processors of the machine, ≥ 1.
[[nodiscard]] int cpu_count() noexcept;
/// Processors that this process may use: affinity, and cgroup limits rounded up; ≥ 1.
[[nodiscard]] int process_cpu_count() noexcept;

/// A variable of the environment in UTF-8.
[[nodiscard]] std::optional<std::string> environment_variable(const char* name);

/// The name that tools such as ps show, cut to what the system takes; where it cannot, nothing happens.
void set_process_title(const std::string& title) noexcept;

/// This library started the program: its first argument is its path, which traces may show without a look at
/// the file.
void trust_first_argument() noexcept;

/// How many threads this process has, but for those by which the backend waits for children; nullopt where
/// the system does not tell.
[[nodiscard]] std::optional<int> thread_count() noexcept;

/// How many handles (descriptors, on Windows kernel handles) this process has open; nullopt where the system
/// does not tell. For tests that look for leaks.
[[nodiscard]] std::optional<int> open_handle_count() noexcept;

/// How many handles this process may have open at once; nullopt without limit.
[[nodiscard]] std::optional<std::uint64_t> handle_limit() noexcept;

/// The stack of a thread: what the system gives threads, which is little on some, or at least as much as the
/// program's first one may use; 8 MiB where that has no limit.
enum class StackSize : std::uint8_t { usual, as_first };

/// Runs `work` in a detached thread that takes no signals. `work` must not throw. Errors: out_of_processes,
/// out_of_memory.
[[nodiscard]] Status run_in_background(std::function<void()> work, StackSize stack = StackSize::usual);

}  // namespace multiprocessing::platform
