// Exact sentinels on Linux: pidfds. pidfd_open (5.3) makes one, poll() sees the end of the process,
// waitid(P_PIDFD) (5.4) reaps and pidfd_send_signal (5.1) signals exactly that process. A kernel without
// them, or a filter that refuses them, gets the pipe of sentinel.cpp; a 5.3 reaps by pid.
// Manual pages: pidfd_open(2), pidfd_send_signal(2), waitid(2).
#include <cerrno>
#include <csignal>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/fault.hpp"
#include "error.hpp"
#include "sentinel.hpp"

namespace multiprocessing::platform::posix {
namespace {

constexpr auto by_pidfd = static_cast<idtype_t>(3);  // P_PIDFD, which older headers do not name

int pidfd_open(int pid) noexcept { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)); }

bool kernel_has_pidfd() noexcept {
  const int fd = pidfd_open(::getpid());
  if (fd >= 0) {
    ::close(fd);
    return true;
  }
  return errno == EMFILE || errno == ENFILE || errno == ENOMEM;
}

ExitStatus status_of(const siginfo_t& info) noexcept {
  if (info.si_code == CLD_EXITED) return {ExitStatus::Kind::exited, info.si_status & 0xff};
  return {ExitStatus::Kind::signalled, -info.si_status};
}

}  // namespace

bool exact_sentinels() noexcept {
  static const bool available = !forced("no-pidfd") && kernel_has_pidfd();
  return available;
}

Result<Handle> open_exact_sentinel(int pid) noexcept {
  // A kernel that opens this one has them: a new process need not ask for its own first.
  const int fd = forced("no-pidfd") ? -1 : pidfd_open(pid);
  const int failure = errno;
  if (fd < 0 && !exact_sentinels()) return Error{Condition::not_supported, ENOSYS, "pidfd_open"};
  errno = failure;
  // EINVAL: the pid is that of a thread.
  if (fd < 0 && errno == EINVAL) return Error{Condition::gone, EINVAL, "pidfd_open"};
  return above_standard(fd, "pidfd_open");
}

bool sentinels_travel() noexcept { return exact_sentinels() && !forced("no-sentinel-transfer"); }

std::optional<ChildAnswer> reap_by_sentinel(int sentinel) noexcept {
  siginfo_t info{};
  const int result =
      retried([&] { return ::waitid(by_pidfd, static_cast<id_t>(sentinel), &info, WEXITED | WNOHANG); });
  if (result == -1 && errno == ECHILD) return ChildAnswer{ChildAnswer::Kind::lost, {}};
  if (result == -1) return std::nullopt;
  if (info.si_pid == 0) return ChildAnswer{ChildAnswer::Kind::running, {}};
  return ChildAnswer{ChildAnswer::Kind::ended, status_of(info)};
}

std::optional<int> signal_by_sentinel(int sentinel, int number) noexcept {
  if (::syscall(SYS_pidfd_send_signal, sentinel, number, nullptr, 0U) == 0) return 0;
  if (errno == ENOSYS) return std::nullopt;
  return errno;
}

}  // namespace multiprocessing::platform::posix
