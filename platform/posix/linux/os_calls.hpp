// What Linux calls by another name than other systems: inline, no state. Below `child` are the system calls
// that run between clone() and execve(): bare ones, because the wrappers of libc and of sanitizers keep
// books about descriptors and signal handlers that the child would share with its parent.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unsanitized.hpp"

#if !defined(__GLIBC__)
// Headers of Boost.Process name it in code that we never call; musl does not declare it.
extern "C" int close_range(unsigned first, unsigned last, int flags);
#endif

namespace multiprocessing::platform::posix::os {

inline constexpr bool atomic_close_on_exec = true;
inline constexpr int send_flags = MSG_NOSIGNAL;
inline constexpr int receive_close_on_exec = MSG_CMSG_CLOEXEC;
inline constexpr const char* descriptor_folder = "/proc/self/fd";

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
/// A pair has two hundred kilobytes by default.
inline void make_room(int) noexcept {}

/// AF_UNIX and its like; -1: no socket.
inline int socket_family(int fd) noexcept {
  int family = -1;
  socklen_t size = sizeof family;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 ? family : -1;
}

/// Who made the pair that this socket is one end of.
inline int peer_pid(int fd) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : -1;
}

namespace child {

MULTIPROCESSING_UNSANITIZED inline int duplicate_to(int fd, int target) noexcept {
  return static_cast<int>(::syscall(SYS_dup3, fd, target, 0));
}
MULTIPROCESSING_UNSANITIZED inline int control(int fd, int command, int argument) noexcept {
  return static_cast<int>(::syscall(SYS_fcntl, fd, command, argument));
}
MULTIPROCESSING_UNSANITIZED inline int change_directory(const char* path) noexcept {
  return static_cast<int>(::syscall(SYS_chdir, path));
}
MULTIPROCESSING_UNSANITIZED inline void set_niceness(int value) noexcept {
  ::syscall(SYS_setpriority, PRIO_PROCESS, 0, value);
}
MULTIPROCESSING_UNSANITIZED inline void write_all(int fd, const void* data, std::size_t size) noexcept {
  ::syscall(SYS_write, fd, data, size);  // a pipe takes so few bytes at once
}
MULTIPROCESSING_UNSANITIZED inline int execute(const char* path, char* const* arguments,
                                               char* const* environment) noexcept {
  return static_cast<int>(::syscall(SYS_execve, path, arguments, environment));
}
MULTIPROCESSING_UNSANITIZED inline int execute_open(int file, char* const* arguments,
                                                    char* const* environment) noexcept {
  return static_cast<int>(::syscall(SYS_execveat, file, "", arguments, environment, AT_EMPTY_PATH));
}
[[noreturn]] MULTIPROCESSING_UNSANITIZED inline void leave(int code) noexcept {
  for (;;) ::syscall(SYS_exit_group, code);
}

/// The kernel's own struct sigaction: only the first member has the same place on every machine.
struct KernelAction {
  std::uintptr_t handler;
  std::uintptr_t rest[7];
};
inline constexpr std::size_t kernel_mask_size = 8;
inline constexpr int last_signal = 64;

enum class Disposition : unsigned char { unknown, by_default, ignored, handled };

MULTIPROCESSING_UNSANITIZED inline Disposition disposition(int number) noexcept {
  KernelAction action;
  if (::syscall(SYS_rt_sigaction, number, nullptr, &action, kernel_mask_size) != 0)
    return Disposition::unknown;
  if (action.handler == 0) return Disposition::by_default;
  return action.handler == 1 ? Disposition::ignored : Disposition::handled;
}
MULTIPROCESSING_UNSANITIZED inline void reset_disposition(int number) noexcept {
  KernelAction action;
  action.handler = 0;
  for (std::uintptr_t& word : action.rest) word = 0;
  ::syscall(SYS_rt_sigaction, number, &action, nullptr, kernel_mask_size);
}
MULTIPROCESSING_UNSANITIZED inline void clear_signal_mask() noexcept {
  const std::uint64_t none = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kernel_mask_size);
}

/// Marks every descriptor from `first` on; false where the kernel is too old.
MULTIPROCESSING_UNSANITIZED inline bool close_range_on_exec(int first) noexcept {
  return ::syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}
/// As close_range_on_exec, by looking which there are; false without /proc.
MULTIPROCESSING_UNSANITIZED inline bool close_listed_on_exec(int first) noexcept {
  struct Entry {  // linux_dirent64
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[1];
  };
  const int folder = static_cast<int>(
      ::syscall(SYS_openat, AT_FDCWD, descriptor_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  if (folder < 0) return false;
  alignas(Entry) char buffer[2048];
  for (;;) {
    const long size = ::syscall(SYS_getdents64, folder, buffer, sizeof buffer);
    if (size <= 0) break;
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      at += entry->size;
      int fd = 0;
      for (const char* digit = entry->name; *digit >= '0' && *digit <= '9'; ++digit)
        fd = fd * 10 + (*digit - '0');
      if (fd >= first) control(fd, F_SETFD, FD_CLOEXEC);  // "." and ".." count as 0
    }
  }
  ::syscall(SYS_close, folder);
  return true;
}

}  // namespace child
}  // namespace multiprocessing::platform::posix::os
