// Making descriptors as the contract wants them: close-on-exec from birth, never a standard stream.
#pragma once

#include <mutex>
#include <utility>

#include "contract/fault.hpp"
#include "contract/handle.hpp"

namespace multiprocessing::platform::posix {

[[nodiscard]] constexpr int to_fd(RawHandle handle) noexcept { return static_cast<int>(handle); }

/// Whether errno is EINTR.
[[nodiscard]] bool interrupted() noexcept;
/// Makes errno EINTR.
void pretend_interruption() noexcept;

/// Makes a system call that a signal can interrupt; then it returns -1. A fault plan may do as if.
template <class Function>
auto interruptible(Function function) noexcept {
  if (fault_interruption()) {
    pretend_interruption();
    return static_cast<decltype(function())>(-1);
  }
  return function();
}

/// Repeats a system call that returns -1 while it is interrupted.
template <class Function>
auto retried(Function function) noexcept {
  for (;;)
    if (const auto result = interruptible(function); result != -1 || !interrupted()) return result;
}

/// Held while a descriptor exists that is not close-on-exec yet, where the system cannot make it so at
/// birth, and while a process is forked. Taken after fork_lock().
[[nodiscard]] std::unique_lock<std::mutex> birth_lock();
/// Held while a process is forked, and where a fork must not come between.
[[nodiscard]] std::unique_lock<std::mutex> fork_lock();

/// Whether descriptors are born close-on-exec here; "no-atomic-cloexec" takes it away.
[[nodiscard]] bool born_close_on_exec() noexcept;

/// Sets close-on-exec.
[[nodiscard]] Status close_on_exec(int fd) noexcept;
/// Takes over `fd`, moves it above the standard streams if it is one of them. Closes it on failure.
[[nodiscard]] Result<Handle> above_standard(int fd, const char* call) noexcept;
/// A duplicate above the standard streams, close-on-exec.
[[nodiscard]] Result<Handle> duplicate(int fd) noexcept;

struct Pipe {
  Handle read;
  Handle write;
};
[[nodiscard]] Result<Pipe> make_pipe();
/// A connected pair of unix stream sockets that raise no SIGPIPE.
[[nodiscard]] Result<std::pair<Handle, Handle>> make_socket_pair();
[[nodiscard]] Result<Handle> open_file(const char* path, int flags) noexcept;
[[nodiscard]] Status set_non_blocking(int fd) noexcept;

}  // namespace multiprocessing::platform::posix
