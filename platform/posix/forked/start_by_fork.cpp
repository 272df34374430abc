// fork() and a pipe: the way of systems without a better one, and of Linux where clone() with shared memory
// and a pidfd is refused (old kernels, qemu-user). The pipe's end in the child is close-on-exec: end of file
// means that the program was loaded, a StartReport that it was not.
// While it lasts no other fork of this library comes between, because that child would hold the pipe open.
// What the application forks itself in another thread does hold it: therefore the wait for the end of file
// looks now and then whether the child has become a program, or is none any more. Where nothing tells, as
// without /proc, it is taken for one after a few seconds: an error would have been reported long before.
// Manual pages: fork(2), pipe(2), poll(2), waitid(2).
#include <cerrno>
#include <chrono>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.hpp"
#include "process_table.hpp"
#include "signals.hpp"
#include "start.hpp"

namespace multiprocessing::platform::posix {
namespace {

int fork_child(ChildSide& side) noexcept {
  const AllSignalsBlocked blocked;
  const int pid = ::fork();
  if (pid == 0) run_child_side(side);
  return pid;
}

constexpr int look_after_ms = 50;  // a program is loaded long before
constexpr std::chrono::seconds longest_blind_wait(5);

bool has_ended(int pid) noexcept {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pid);
  const int result = retried([&] { return ::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT); });
  return result != 0 || info.si_pid != 0;
}

/// Whether the system tells more of a process than that it is there.
bool processes_are_known() noexcept {
  const auto self = look_up_process(::getpid());
  return self && self->start_time != 0;
}

bool is_readable(int fd, int timeout_ms) noexcept {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) > 0;
}

// The report, if there is one. Without: the program was loaded, as far as anybody can tell.
std::optional<StartReport> read_report(int fd, int pid) noexcept {
  const auto patience = Deadline::after(longest_blind_wait);  // a look that a signal interrupts is shorter
  while (!is_readable(fd, look_after_ms)) {
    const bool settled =
        has_executed(pid) || has_ended(pid) || (patience.expired() && !processes_are_known());
    // Asked once more: a child reports before it ends.
    if (settled && !is_readable(fd, 0)) return std::nullopt;
  }
  StartReport report;
  if (retried([&] { return ::read(fd, &report, sizeof report); }) != sizeof report) return std::nullopt;
  return report;
}

}  // namespace

Result<StartedChild> start_by_fork(ChildSide& side) {
  const auto lock = fork_lock();
  auto report_pipe = make_pipe();
  if (!report_pipe) return report_pipe.error();
  auto watch = prepare_watch();
  if (!watch) return watch.error();
  side.report_to = to_fd(report_pipe->write.get());

  const int pid = fork_child(side);
  if (pid == -1) return start_error(errno, "fork");
  report_pipe->write.reset();
  if (const auto report = read_report(to_fd(report_pipe->read.get()), pid)) {
    reap_failed_start(pid);
    return failure_of(report->step, report->failure);
  }
  return watch_forked(pid, *std::move(watch));
}

}  // namespace multiprocessing::platform::posix
