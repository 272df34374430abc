// Starting a program on Linux: clone() with CLONE_VM | CLONE_VFORK, which costs the same in a large process
// as in a small one, and CLONE_PIDFD, so that the pidfd can never name another process. The child runs on a
// stack of its own, with all signals blocked, and answers through the memory it shares.
// Where that is refused (before Linux 5.2; qemu-user, which turns it into a fork and knows no CLONE_PIDFD)
// and without pidfds: start_by_fork. Forced by "no-clone" and "no-pidfd".
// Manual pages: clone(2), vfork(2).
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <memory>
#include <new>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clone_call.hpp"
#include "contract/fault.hpp"
#include "error.hpp"
#include "signals.hpp"
#include "start.hpp"
#include "unsanitized.hpp"

namespace multiprocessing::platform::posix {
namespace {

constexpr const char* own_link = "/proc/self/exe";
constexpr std::size_t stack_size = 16 * 1024;
constexpr int pidfd_flag = 0x1000;  // CLONE_PIDFD, which older headers do not name

std::atomic<bool> clone_refused{false};

/// The program's own file, opened by the first start and kept: to open it costs as much as all else that a
/// start does before its child runs. Whether it is still that file is asked each time, because an application
/// may close descriptors that are not its own, as daemons do.
struct KeptProgram {
  int fd;
  dev_t device;
  ino_t inode;

  [[nodiscard]] bool is_good() const noexcept {
    struct stat now {};
    return ::fstat(fd, &now) == 0 && now.st_dev == device && now.st_ino == inode;
  }
};

std::atomic<const KeptProgram*> kept_program{nullptr};

/// -1 if it cannot be opened.
int own_program() noexcept {
  const auto* kept = kept_program.load();
  if (kept != nullptr && kept->is_good()) return kept->fd;
  auto opened = open_file(own_link, O_PATH);
  struct stat file {};
  if (!opened || ::fstat(to_fd(opened->get()), &file) != 0) return -1;
  // Never freed: another thread may be looking at the one that this replaces, once for each mishap.
  std::unique_ptr<const KeptProgram> fresh(new (std::nothrow)
                                               KeptProgram{to_fd(opened->get()), file.st_dev, file.st_ino});
  if (fresh == nullptr) return -1;
  const bool first = kept == nullptr;
  const bool taken = kept_program.compare_exchange_strong(kept, fresh.get());
  // A number that was closed and is open again may be in use as the one that it was: then it stays open.
  if (taken || !first) static_cast<void>(opened->release());
  return taken ? fresh.release()->fd : kept->fd;
}

MULTIPROCESSING_UNSANITIZED int child_main(void* side) { run_child_side(*static_cast<ChildSide*>(side)); }

// Returns when the child is a program or has left; the pid, or -1 and errno.
MULTIPROCESSING_UNSANITIZED int clone_child(ChildSide& side, int& pidfd) noexcept {
  alignas(64) std::byte stack[stack_size];
  const AllSignalsBlocked blocked;
  return MULTIPROCESSING_CLONE(&child_main, stack + stack_size, CLONE_VM | CLONE_VFORK | pidfd_flag | SIGCHLD,
                               &side, &pidfd);
}

bool can_clone() noexcept { return !forced("no-clone") && exact_sentinels() && !clone_refused; }

Result<StartedChild> started_by_clone(int pid, int pidfd, const ChildSide& side) {
  Handle raw(pidfd);
  if (side.failed_step != StartStep::none) {
    reap_failed_start(pid);
    return failure_of(side.failed_step, side.failure);
  }
  auto sentinel = pidfd > STDERR_FILENO ? Result<Handle>(std::move(raw)) : duplicate(pidfd);
  if (sentinel) return StartedChild{pid, *std::move(sentinel), nullptr, false};
  (void)signal_by_sentinel(pidfd, SIGKILL);  // while it is open: the pid may be a stranger's
  reap_failed_start(pid);
  return sentinel.error();
}

}  // namespace

Result<StartedChild> start_child(ChildSide& side) {
  // To find the program by way of its own folder in /proc costs a new process a twentieth of a start.
  if (std::string_view(side.executable) == own_link) side.program = own_program();
  side.close_range = !forced("no-close-range");
  if (!can_clone()) return start_by_fork(side);
  int pidfd = -1;
  const int pid = clone_child(side, pidfd);
  if (pid != -1) return started_by_clone(pid, pidfd, side);
  if (errno != EINVAL && errno != ENOSYS && errno != EPERM) return start_error(errno, "clone");
  clone_refused = true;
  return start_by_fork(side);
}

}  // namespace multiprocessing::platform::posix
