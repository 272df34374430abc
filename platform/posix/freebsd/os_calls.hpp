// What FreeBSD calls by another name than other systems: inline, no state. Below `child` are the calls that
// run between fork() and execve().
#pragma once

#include <sys/param.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/ucred.h>
#include <sys/un.h>

#include <csignal>
#include <cstddef>

#include <fcntl.h>
#include <unistd.h>

namespace multiprocessing::platform::posix::os {

inline constexpr bool atomic_close_on_exec = true;
inline constexpr int send_flags = MSG_NOSIGNAL;
inline constexpr int receive_close_on_exec = MSG_CMSG_CLOEXEC;
inline constexpr const char* descriptor_folder = "/dev/fd";

inline int pipe_close_on_exec(int* made) noexcept { return ::pipe2(made, O_CLOEXEC); }
inline int socket_pair_close_on_exec(int* made) noexcept {
  return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, made);
}
/// A stream socket, close-on-exec from birth.
inline int socket_close_on_exec(int family) noexcept {
  return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}
inline int accept_close_on_exec(int fd, sockaddr* address, socklen_t* size) noexcept {
  return ::accept4(fd, address, size, SOCK_CLOEXEC);
}
/// No SIGPIPE from this socket: `send_flags` does it.
inline void quiet_socket(int) noexcept {}
/// Room for what a pool writes at once: a pair has 8 KiB by default here.
inline void make_room(int fd) noexcept {
  const int size = 64 * 1024;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

/// AF_UNIX and its like; -1: no socket.
inline int socket_family(int fd) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 ? address.ss_family : -1;
}

/// Who made the pair that this socket is one end of.
inline int peer_pid(int fd) noexcept {
  xucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_LOCAL, LOCAL_PEERCRED, &peer, &size) == 0 ? peer.cr_pid : -1;
}

namespace child {

inline int duplicate_to(int fd, int target) noexcept { return ::dup2(fd, target); }
inline int control(int fd, int command, int argument) noexcept { return ::fcntl(fd, command, argument); }
inline int change_directory(const char* path) noexcept { return ::chdir(path); }
inline void set_niceness(int value) noexcept { ::setpriority(PRIO_PROCESS, 0, value); }
inline void write_all(int fd, const void* data, std::size_t size) noexcept {
  (void)::write(fd, data, size);  // a pipe takes so few bytes at once
}
inline int execute(const char* path, char* const* arguments, char* const* environment) noexcept {
  return ::execve(path, arguments, environment);
}
inline int execute_open(int file, char* const* arguments, char* const* environment) noexcept {
  return ::fexecve(file, arguments, environment);
}
[[noreturn]] inline void leave(int code) noexcept { ::_exit(code); }

inline constexpr int last_signal = NSIG - 1;
enum class Disposition : unsigned char { unknown, by_default, ignored, handled };

inline Disposition disposition(int number) noexcept {
  struct sigaction action {};
  if (::sigaction(number, nullptr, &action) != 0) return Disposition::unknown;
  if (action.sa_handler == SIG_DFL) return Disposition::by_default;
  return action.sa_handler == SIG_IGN ? Disposition::ignored : Disposition::handled;
}
inline void reset_disposition(int number) noexcept {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(number, &action, nullptr);
}
inline void clear_signal_mask() noexcept {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Marks every descriptor from `first` on; false where the system is too old.
inline bool close_range_on_exec(int first) noexcept {
#ifdef CLOSE_RANGE_CLOEXEC
  return ::close_range(static_cast<unsigned>(first), ~0U, CLOSE_RANGE_CLOEXEC) == 0;
#else
  return first < 0;
#endif
}
/// Nothing lists them without allocating.
inline bool close_listed_on_exec(int) noexcept { return false; }

}  // namespace child
}  // namespace multiprocessing::platform::posix::os
