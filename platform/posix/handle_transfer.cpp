// Handles travel as SCM_RIGHTS control data of one marker byte. What arrives is close-on-exec at birth where
// the system can (MSG_CMSG_CLOEXEC), else right after, under the lock that forks take; and above the standard
// streams. Control data that was cut, because this process is out of descriptors, shows as MSG_CTRUNC: what
// had come is closed, and the marker is consumed, so that the stream stays in step. Manual pages: unix(7),
// cmsg(3). macOS may drop sockets that are on their way once the sender has closed his
// (Capabilities::transfer_keeps_handles): whoever sends keeps his own.
#include "contract/handle_transfer.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "contract/fault.hpp"
#include "descriptor.hpp"
#include "error.hpp"
#include "os_calls.hpp"
#include "stream.hpp"

namespace multiprocessing::platform {
namespace {

constexpr unsigned char marker = 0xf5;  // never the first byte of UTF-8
constexpr Error bad_count{Condition::invalid_argument, EINVAL, "sendmsg"};

// One byte with room for the control data beside it.
struct Envelope {
  explicit Envelope(std::size_t count) noexcept {
    part.iov_base = &byte;
    part.iov_len = 1;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = static_cast<decltype(header.msg_controllen)>(CMSG_SPACE(count * sizeof(int)));
  }
  Envelope(const Envelope&) = delete;
  Envelope& operator=(const Envelope&) = delete;

  unsigned char byte = marker;
  iovec part{};
  msghdr header{};
  alignas(cmsghdr) unsigned char control[CMSG_SPACE(handles_per_transfer * sizeof(int))] = {};
};

void attach(Envelope& envelope, std::span<const RawHandle> handles) noexcept {
  cmsghdr* const first = CMSG_FIRSTHDR(&envelope.header);
  first->cmsg_level = SOL_SOCKET;
  first->cmsg_type = SCM_RIGHTS;
  first->cmsg_len = static_cast<decltype(first->cmsg_len)>(CMSG_LEN(handles.size() * sizeof(int)));
  unsigned char* at = CMSG_DATA(first);
  for (const RawHandle handle : handles) {
    const int fd = posix::to_fd(handle);
    std::memcpy(at, &fd, sizeof fd);
    at += sizeof fd;
  }
}

// Everything that came, whatever was expected, so that nothing leaks: into a vector that has the room.
void detach(const Envelope& envelope, std::vector<Handle>& handles) noexcept {
  const msghdr* const header = &envelope.header;
  // There is at most one part: credentials and the like come only to sockets that ask for them.
  const cmsghdr* const part = CMSG_FIRSTHDR(header);
  if (part == nullptr || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) return;
  const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t i = 0; i < count; ++i) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
    handles.emplace_back(fd);
  }
}

// One attempt: 1, 0 at the end of file, or -1 and errno.
long receive_once(int fd, Envelope& envelope, std::vector<Handle>& handles) {
  handles.reserve(handles_per_transfer);
  std::unique_lock<std::mutex> lock;
  if (!posix::born_close_on_exec()) lock = posix::birth_lock();
  const long count = posix::retried(
      [&] { return ::recvmsg(fd, &envelope.header, MSG_DONTWAIT | posix::os::receive_close_on_exec); });
  if (count != 1) return count;
  detach(envelope, handles);
  if (!posix::born_close_on_exec())
    for (const Handle& handle : handles) (void)posix::close_on_exec(posix::to_fd(handle.get()));
  return count;
}

Status raise_above_standard(std::vector<Handle>& handles) noexcept {
  for (Handle& handle : handles) {
    auto placed = posix::above_standard(posix::to_fd(handle.release()), "recvmsg");
    if (!placed) return placed.error();
    handle = *std::move(placed);
  }
  return {};
}

}  // namespace

bool carries_handles(const Channel& channel) noexcept {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  return ::getsockname(posix::to_fd(channel.get()), reinterpret_cast<sockaddr*>(&name), &size) == 0 &&
         name.ss_family == AF_UNIX;
}

Status send_handles(Channel& channel, std::span<const RawHandle> handles, Deadline deadline,
                    const Wakeup* wakeup) {
  if (auto failure = fault_point(Call::send_handles)) return *failure;
  if (handles.empty() || handles.size() > handles_per_transfer) return bad_count;
  for (const RawHandle handle : handles)
    if (handle < 0 || ::fcntl(posix::to_fd(handle), F_GETFD) == -1)
      return Error{Condition::invalid_argument, EBADF, "sendmsg"};
  Envelope envelope(handles.size());
  attach(envelope, handles);
  const int fd = posix::to_fd(channel.get());
  for (;;) {
    if (posix::retried(
            [&] { return ::sendmsg(fd, &envelope.header, MSG_DONTWAIT | posix::os::send_flags); }) == 1)
      return {};
    if (errno == ENOTSOCK) return Error{Condition::not_supported, errno, "sendmsg"};
    if (errno != EAGAIN && errno != EWOULDBLOCK) return posix::last_error("sendmsg");
    if (auto status = posix::wait_for_stream(fd, POLLOUT, deadline, wakeup); !status) return status;
  }
}

Result<std::vector<Handle>> receive_handles(Channel& channel, std::size_t count, Deadline deadline,
                                            const Wakeup* wakeup) {
  const auto failure = fault_point(Call::receive_handles);
  // A lack of handles shows after reading, and leaves the stream in step.
  if (failure && failure->condition != Condition::out_of_handles) return *failure;
  if (count == 0 || count > handles_per_transfer) return bad_count;
  const int fd = posix::to_fd(channel.get());
  for (;;) {
    Envelope envelope(handles_per_transfer);
    std::vector<Handle> handles;
    const long received = receive_once(fd, envelope, handles);
    if (received == 0 || (received == -1 && errno == ECONNRESET))
      return Error{Condition::broken, 0, "recvmsg"};
    if (received == 1) {
      if ((envelope.header.msg_flags & MSG_CTRUNC) != 0)
        return Error{Condition::out_of_handles, EMFILE, "recvmsg"};
      if (envelope.byte != marker || handles.size() != count) return Error{Condition::corrupt, 0, "recvmsg"};
      if (failure) return *failure;
      if (auto status = raise_above_standard(handles); !status) return status.error();
      return handles;
    }
    if (errno == ENOTSOCK) return Error{Condition::not_supported, errno, "recvmsg"};
    if (errno != EAGAIN && errno != EWOULDBLOCK) return posix::last_error("recvmsg");
    if (auto status = posix::wait_for_stream(fd, POLLIN, deadline, wakeup); !status) return status.error();
  }
}

// What travels lies in the stream and nowhere else: it is closed with it, whoever was to take it.
Status give_handles(Channel& channel, RawHandle, std::span<const RawHandle> handles, Deadline deadline,
                    const Wakeup* wakeup) {
  return send_handles(channel, handles, deadline, wakeup);
}

Result<std::vector<Handle>> take_handles(Channel& channel, std::size_t count, Deadline deadline,
                                         const Wakeup* wakeup) {
  return receive_handles(channel, count, deadline, wakeup);
}

}  // namespace multiprocessing::platform
