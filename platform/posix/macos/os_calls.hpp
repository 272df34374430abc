// What macOS calls by another name than other systems: inline, no state.
#pragma once

#include <cerrno>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace multiprocessing::platform::posix::os {

inline constexpr bool atomic_close_on_exec = false;
inline constexpr int send_flags = 0;
inline constexpr int receive_close_on_exec = 0;
inline constexpr const char* descriptor_folder = "/dev/fd";

inline int refuse() noexcept {
  errno = ENOSYS;
  return -1;
}
inline int pipe_close_on_exec(int*) noexcept { return refuse(); }
inline int socket_pair_close_on_exec(int*) noexcept { return refuse(); }
inline int socket_close_on_exec(int) noexcept { return refuse(); }
inline int accept_close_on_exec(int, sockaddr*, socklen_t*) noexcept { return refuse(); }
/// No SIGPIPE from this socket, and no blocking: MSG_DONTWAIT alone does not keep send() from waiting here.
inline void quiet_socket(int fd) noexcept {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags != -1) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}
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

/// Who holds the other end of the pair.
inline int peer_pid(int fd) noexcept {
  pid_t peer = -1;
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &peer, &size) == 0 ? peer : -1;
}

}  // namespace multiprocessing::platform::posix::os
