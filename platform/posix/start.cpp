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

Result<StartedChild> watch_forked(int pid, Handle pipe) noexcept {
  if (!exact_sentinels()) return StartedChild{pid, std::move(pipe), false, false};
  auto sentinel = open_child_sentinel(pid, std::move(pipe));
  if (sentinel) return StartedChild{pid, std::move(sentinel->handle), true, sentinel->lost};
  abandon_start(pid);
  return sentinel.error();
}

}  // namespace multiprocessing::platform::posix
