// fork() and a pipe: the way of systems without a better one, and of Linux where clone() with shared memory
// and a pidfd is refused (old kernels, qemu-user). The pipe's end in the child is close-on-exec: end of file
// means that the program was loaded, a StartReport that it was not.
// While it lasts no other fork of this library comes between, because that child would hold the pipes open.
// Manual pages: fork(2), pipe(2).
#include <cerrno>

#include <unistd.h>

#include "error.hpp"
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

// True: the program was loaded, as far as anybody can tell.
bool read_report(int fd, StartReport& report) noexcept {
  return retried([&] { return ::read(fd, &report, sizeof report); }) != sizeof report;
}

}  // namespace

Result<StartedChild> start_by_fork(ChildSide& side) {
  const auto lock = fork_lock();
  auto report_pipe = make_pipe();
  if (!report_pipe) return report_pipe.error();
  auto watch_pipe = make_pipe();  // an exact sentinel needs it as a spare
  if (!watch_pipe) return watch_pipe.error();
  side.report_to = to_fd(report_pipe->write.get());
  side.sentinel_pipe = exact_sentinels() ? -1 : to_fd(watch_pipe->write.get());

  const int pid = fork_child(side);
  if (pid == -1) return start_error(errno, "fork");
  report_pipe->write.reset();
  watch_pipe->write.reset();
  if (StartReport report; !read_report(to_fd(report_pipe->read.get()), report)) {
    reap_failed_start(pid);
    return failure_of(report.step, report.failure);
  }
  return watch_forked(pid, std::move(watch_pipe->read));
}

}  // namespace multiprocessing::platform::posix
