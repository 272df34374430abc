// What all ways of starting a program share: words for failures, and the end of children that did not come
// to be one. They are reaped by their own pid; a status that somebody else took changes nothing.
#include "start.hpp"

#include <cerrno>
#include <csignal>

#include <sys/wait.h>

#include "error.hpp"

namespace multiprocessing::platform::posix {

Error failure_of(StartStep step, int failure) noexcept {
  switch (step) {
    case StartStep::streams:
      return error_of(failure, "dup2");
    case StartStep::directory:
      return error_of(failure, "chdir");
    case StartStep::execute:
    case StartStep::none:
      break;
  }
  return start_error(failure, "execve");
}

void reap_failed_start(int pid) noexcept {
  retried([&] { return ::waitpid(pid, nullptr, 0); });
}

void abandon_start(int pid) noexcept {
  ::kill(pid, SIGKILL);
  reap_failed_start(pid);
}

Result<Watch> prepare_watch() {
  Watch watch;
  if (exact_sentinels()) {
    auto spare = ready_sentinel();
    if (!spare) return spare.error();
    watch.spare = *std::move(spare);
  } else {
    auto announced = AnnouncedEnd::create();
    if (!announced) return announced.error();
    watch.announced = *std::move(announced);
  }
  return watch;
}

Result<StartedChild> watch_forked(int pid, Watch watch) {
  if (watch.announced) {
    const auto status = AnnouncedEnd::watch(watch.announced, pid);
    if (status) return StartedChild{pid, Handle(), std::move(watch.announced), false};
    abandon_start(pid);
    return status.error();
  }
  auto sentinel = open_child_sentinel(pid, std::move(watch.spare));
  if (sentinel) return StartedChild{pid, std::move(sentinel->handle), nullptr, sentinel->lost};
  abandon_start(pid);
  return sentinel.error();
}

}  // namespace multiprocessing::platform::posix
