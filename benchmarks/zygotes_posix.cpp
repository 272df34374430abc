// The floors of a fork server on POSIX systems: processes that fork when they are asked.
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "common.hpp"
#include "floors_posix.hpp"

namespace benchmarks {
namespace {

using Serve = void (*)(int requests);

void serve_bare(int requests) {
  char byte = 0;
  while (read(requests, &byte, 1) == 1) {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0) return;
    if (write(requests, &byte, 1) != 1) return;
  }
}

/// The end of the socket over which it is asked.
int start_zygote(Serve serve) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  if (fork() == 0) {
    close(ends[0]);
    serve(ends[1]);
    _exit(0);  // whoever asked is gone
  }
  close(ends[1]);
  return ends[0];
}

}  // namespace

Measure bare_zygote() {
  return [] {
    static const int zygote = start_zygote(&serve_bare);
    return seconds_if_done(1, [] {
      char byte = 0;
      return write(zygote, &byte, 1) == 1 && read(zygote, &byte, 1) == 1;
    });
  };
}

#if defined(SYS_pidfd_open)
namespace {

/// A message of one handle and a byte.
struct Parcel {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};

  Parcel() {
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
  }
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;
};

bool send_handle(int socket, int handle) {
  Parcel parcel;
  cmsghdr* const head = CMSG_FIRSTHDR(&parcel.header);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof handle);
  std::memcpy(CMSG_DATA(head), &handle, sizeof handle);
  return sendmsg(socket, &parcel.header, 0) == 1;
}

/// -1 at the end.
int receive_handle(int socket) {
  Parcel parcel;
  if (recvmsg(socket, &parcel.header, MSG_CMSG_CLOEXEC) != 1) return -1;
  const cmsghdr* const head = CMSG_FIRSTHDR(&parcel.header);
  int handle = -1;
  if (head != nullptr) std::memcpy(&handle, CMSG_DATA(head), sizeof handle);
  return handle;
}

/// Is sent a child's channel, forks, and sends the child's sentinel, then how it ended.
void serve_supervised(int requests) {
  for (int channel = 0; (channel = receive_handle(requests)) >= 0;) {
    const pid_t pid = fork();
    if (pid == 0) {
      close(requests);
      watch_aside(channel, -1);
      _exit(answer_record(channel) ? 0 : 2);
    }
    close(channel);
    const int sentinel = open_sentinel(pid);
    const bool told = send_handle(requests, sentinel);
    close(sentinel);
    int status = 0;
    if (!told || waitpid(pid, &status, 0) != pid) return;
    if (write(requests, &status, sizeof status) != sizeof status) return;
  }
}

bool start_and_join(int zygote) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
  const bool asked = send_handle(zygote, ends[1]);
  close(ends[1]);
  const int sentinel = asked ? receive_handle(zygote) : -1;
  bool done = sentinel >= 0 && send_record(ends[0]);
  wait_for(sentinel);
  int status = -1;
  done = done && read(zygote, &status, sizeof status) == sizeof status && status == 0 && answered(ends[0]);
  close(ends[0]);
  return done;
}

}  // namespace

Measure bare_supervised_zygote() {
  return [] {
    static const int zygote = start_zygote(&serve_supervised);
    return seconds_if_done(1, [] { return start_and_join(zygote); });
  };
}
#else
Measure bare_supervised_zygote() { return {}; }
#endif

}  // namespace benchmarks
