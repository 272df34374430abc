// Descriptors: fcntl, pipe, socketpair. Where the system makes them close-on-exec at birth (pipe2,
// SOCK_CLOEXEC: see the leaves' os_calls.hpp) it is asked to; elsewhere the flag is set right after, under
// a lock that fork_process() and launch() share, so that none of our own children gets a stray copy.
// Standard streams that are closed leave their numbers free: what lands there is moved by F_DUPFD_CLOEXEC.
// Manual pages: fcntl(2), pipe(2), socketpair(2).
#include "descriptor.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contract/fault.hpp"
#include "error.hpp"
#include "os_calls.hpp"

namespace multiprocessing::platform::posix {
namespace {

using Pair = std::array<int, 2>;

constexpr int first_free = 3;

// One end or both may have landed on a standard stream: each is moved by itself.
Result<std::pair<Handle, Handle>> adopt_pair(Pair made, const char* call) {
  Handle second_raw(made[1]);
  auto first = above_standard(made[0], call);
  if (!first) return first.error();
  auto second = above_standard(to_fd(second_raw.release()), call);
  if (!second) return second.error();
  return std::pair(*std::move(first), *std::move(second));
}

// Calls `make`, then marks what it made, with the lock held from before to after.
template <class Make>
Result<std::pair<Handle, Handle>> make_late(Make make, const char* call) {
  const auto lock = birth_lock();
  Pair made;
  if (make(made.data()) != 0) return last_error(call);
  for (const int fd : made) (void)close_on_exec(fd);  // fails for closed descriptors only
  return adopt_pair(made, call);
}

}  // namespace

bool interrupted() noexcept { return errno == EINTR; }

void pretend_interruption() noexcept { errno = EINTR; }

std::unique_lock<std::mutex> birth_lock() {
  static auto& mutex = *new std::mutex;  // used during static destruction too
  return std::unique_lock(mutex);
}

std::unique_lock<std::mutex> fork_lock() {
  static auto& mutex = *new std::mutex;
  return std::unique_lock(mutex);
}

bool born_close_on_exec() noexcept { return os::atomic_close_on_exec && !forced("no-atomic-cloexec"); }

Status close_on_exec(int fd) noexcept {
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) return last_error("fcntl");
  return {};
}

Result<Handle> above_standard(int fd, const char* call) noexcept {
  if (fd < 0) return last_error(call);
  Handle handle(fd);
  if (fd >= first_free) return handle;
  return duplicate(fd);
}

Result<Handle> duplicate(int fd) noexcept {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, first_free);
  if (copy != -1) return Handle(copy);
  // EINVAL: the limit on descriptors is so low that none may have such a number.
  if (errno == EINVAL) return Error{Condition::out_of_handles, EINVAL, "fcntl"};
  return last_error("fcntl");
}

Result<Pipe> make_pipe() {
  auto ends = [] {
    if (!born_close_on_exec()) return make_late(&::pipe, "pipe");
    Pair made;
    if (os::pipe_close_on_exec(made.data()) != 0)
      return Result<std::pair<Handle, Handle>>(last_error("pipe2"));
    return adopt_pair(made, "pipe2");
  }();
  if (!ends) return ends.error();
  return Pipe{std::move(ends->first), std::move(ends->second)};
}

Result<std::pair<Handle, Handle>> make_socket_pair() {
  auto ends = [] {
    const auto make = [](int* made) { return ::socketpair(AF_UNIX, SOCK_STREAM, 0, made); };
    if (!born_close_on_exec()) return make_late(make, "socketpair");
    Pair made;
    if (os::socket_pair_close_on_exec(made.data()) != 0)
      return Result<std::pair<Handle, Handle>>(last_error("socketpair"));
    return adopt_pair(made, "socketpair");
  }();
  if (ends) {
    for (const int end : {to_fd(ends->first.get()), to_fd(ends->second.get())}) {
      os::quiet_socket(end);
      os::make_room(end);
    }
  }
  return ends;
}

Result<Handle> open_file(const char* path, int flags) noexcept {
  return above_standard(retried([&] { return ::open(path, flags | O_CLOEXEC); }), "open");
}

Status set_non_blocking(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags == -1 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1) return last_error("fcntl");
  return {};
}

}  // namespace multiprocessing::platform::posix
