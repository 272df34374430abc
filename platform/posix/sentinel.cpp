// What sentinels have in common on all systems, and the pipe that stands in for an exact one. Reaping is by
// pid of an own child: waitpid(pid), never waitpid(-1). ECHILD means that somebody else took the status.
// The pipe's write end lives as long as the child, or longer: whatever the child forks holds it too
// (Capabilities::exact_sentinels). So a process closes its parent's pipe in what it forks, and keeps it from
// the programs that it starts. Manual pages: waitpid(2), waitid(2), pipe(2).
#include "sentinel.hpp"

#include <atomic>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.hpp"

namespace multiprocessing::platform::posix {
namespace {

std::atomic<int> held_pipe{-1};

// Whether `pid` is a child of ours, running or ended.
bool is_unreaped_child(int pid) noexcept {
  siginfo_t info{};
  return retried([&] {
           return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
         }) == 0;
}

}  // namespace

ExitStatus status_of(int wait_status) noexcept {
  if (WIFSIGNALED(wait_status)) return {ExitStatus::Kind::signalled, -WTERMSIG(wait_status)};
  return {ExitStatus::Kind::exited, WEXITSTATUS(wait_status)};
}

ChildAnswer reap_by_pid(int pid) noexcept {
  int wait_status = 0;
  const auto reaped = retried([&] { return ::waitpid(pid, &wait_status, WNOHANG); });
  if (reaped == 0) return {ChildAnswer::Kind::running, {}};
  if (reaped == -1) return {ChildAnswer::Kind::lost, {}};
  return {ChildAnswer::Kind::ended, status_of(wait_status)};
}

void wait_for_end(int pid) noexcept {
  siginfo_t info{};
  retried([&] { return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT); });
}

Result<Handle> ready_sentinel() {
  auto pipe = make_pipe();
  if (!pipe) return pipe.error();
  return std::move(pipe->read);
}

Result<ChildSentinel> open_child_sentinel(int pid, Handle spare) noexcept {
  auto sentinel = open_exact_sentinel(pid);
  if (!sentinel && sentinel.error().condition == Condition::out_of_handles) {
    spare = Handle();  // its place is the one that is missing
    sentinel = open_exact_sentinel(pid);
  }
  // Asked last: a pid that is not our child's any more may have become a stranger's before it was opened.
  if (sentinel && is_unreaped_child(pid)) return ChildSentinel{*std::move(sentinel), false};
  if (!sentinel && sentinel.error().condition != Condition::gone) return sentinel.error();
  return ChildSentinel{std::move(spare), !is_unreaped_child(pid)};
}

void hold_sentinel_pipe(int fd) noexcept { held_pipe = fd; }

void drop_sentinel_pipe() noexcept {
  const int fd = held_pipe.exchange(-1);
  if (fd >= 0) close_handle(fd);
}

void find_sentinel_pipe(int inherited) noexcept {
  const int fd = inherited + 1;
  struct stat about {};
  const bool is_pipe = ::fstat(fd, &about) == 0 && S_ISFIFO(about.st_mode);
  if (!is_pipe || (::fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY) return;
  if ((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0) return;
  (void)close_on_exec(fd);
  hold_sentinel_pipe(fd);
}

}  // namespace multiprocessing::platform::posix
