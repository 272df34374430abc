// Streams of bytes: what channels and standard error share. A write to a pipe without reader raises SIGPIPE
// in the writing thread; it is blocked for the time of the write, and taken away if it came, so that the
// application's own SIGPIPE stays untouched. Manual pages: pipe(7), sigwait(3), poll(2).
#include "stream.hpp"

#include <cerrno>
#include <csignal>

#include <poll.h>
#include <unistd.h>

#include "descriptor.hpp"
#include "error.hpp"

namespace multiprocessing::platform::posix {
namespace {

bool pipe_signal_pending() noexcept {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGPIPE) == 1;
}

}  // namespace

long write_quietly(int fd, const void* data, std::size_t size) noexcept {
  sigset_t only_pipe;
  sigset_t before;
  sigemptyset(&only_pipe);
  sigaddset(&only_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &only_pipe, &before);
  const bool was_pending = pipe_signal_pending();
  const long written = retried([&] { return ::write(fd, data, size); });
  const int failure = errno;
  if (written == -1 && failure == EPIPE && !was_pending && pipe_signal_pending()) {
    int taken = 0;
    sigwait(&only_pipe, &taken);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = failure;
  return written;
}

Status wait_for_stream(int fd, short events, Deadline deadline, const Wakeup* wakeup) noexcept {
  pollfd entries[2] = {{fd, events, 0}, {wakeup != nullptr ? to_fd(wakeup->waitable()) : -1, POLLIN, 0}};
  for (;;) {
    const bool last = deadline.expired();
    const int ready = interruptible(
        [&] { return ::poll(entries, wakeup != nullptr ? 2 : 1, deadline.remaining_milliseconds()); });
    if (ready == -1 && errno != EINTR) return last_error("poll");
    if (ready > 0) {
      if (entries[0].revents != 0) return {};
      return Error{Condition::cancelled, 0, "poll"};
    }
    if (last) return Error{Condition::timed_out, 0, "poll"};
  }
}

}  // namespace multiprocessing::platform::posix
