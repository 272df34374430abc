// Channels: unix stream sockets, and pipes for standard streams. Sockets are read and written with
// MSG_DONTWAIT, so that O_NONBLOCK of a description that other processes share does not matter; our end of a
// pipe is O_NONBLOCK, the program's end is not. No write raises SIGPIPE. A peer that died with unread data
// leaves ECONNRESET: for a reader that is the end of file. The next call gets it, whichever that is, and it
// alone: so it is noted. A wait that fails leaves the stream in step, but for a partial write. An inherited
// end is believed only after its kind and its maker were asked for. Manual pages: unix(7), socketpair(2),
// pipe(7).
#include "contract/channel.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "contract/capabilities.hpp"
#include "contract/fault.hpp"
#include "descriptor.hpp"
#include "error.hpp"
#include "os_calls.hpp"
#include "stream.hpp"

namespace multiprocessing::platform {
namespace {

using View = std::span<const std::byte>;

constexpr Error refused{Condition::invalid_argument, EINVAL, "channel"};
constexpr Error closed{Condition::invalid_argument, EBADF, "channel"};

bool is_stream_socket(int fd, const struct stat& about) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  return S_ISSOCK(about.st_mode) && ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
         type == SOCK_STREAM;
}

// Of a descriptor that may be no socket.
bool is_unix_stream(int fd) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
         posix::os::socket_family(fd) == AF_UNIX;
}

}  // namespace

class Channel::State {
 public:
  /// A foreign pipe has a description that somebody else may use too: it is not made O_NONBLOCK.
  enum class Kind : unsigned char { pair, socket, pipe, foreign_pipe };
  State(Handle handle, Kind kind) noexcept : handle_(std::move(handle)), kind_(kind) {}

  [[nodiscard]] int fd() const noexcept { return posix::to_fd(handle_.get()); }
  [[nodiscard]] bool is_socket() const noexcept { return kind_ == Kind::pair || kind_ == Kind::socket; }
  [[nodiscard]] bool left_unread() const noexcept {
    return kind_ == Kind::pair && was_reset() && capabilities().tells_unread;
  }
  [[nodiscard]] bool was_reset() const noexcept { return was_reset_.load(std::memory_order_relaxed); }

  // 0 at the end of file, -1 and errno.
  [[nodiscard]] long read(void* data, std::size_t size) const noexcept {
    if (kind_ == Kind::foreign_pipe && !is_ready(POLLIN)) return -1;
    const long count = posix::retried(
        [&] { return is_socket() ? ::recv(fd(), data, size, MSG_DONTWAIT) : ::read(fd(), data, size); });
    return count == -1 && is_reset() ? 0 : count;
  }
  [[nodiscard]] long write(View head, View body) const noexcept {
    if (is_socket()) return send_both(head, body);
    const View next = head.empty() ? body : head;
    std::size_t size = next.size();
    if (kind_ == Kind::foreign_pipe) {
      // POSIX promises room for so many bytes where poll() says so.
      if (!is_ready(POLLOUT)) return -1;
      size = std::min(size, std::size_t{PIPE_BUF});
    }
    return posix::write_quietly(fd(), next.data(), size);
  }

  [[nodiscard]] Result<std::size_t> read_some(std::span<std::byte> buffer) const noexcept {
    const long count = read(buffer.data(), fault_cut(Call::channel_read, buffer.size()));
    if (count == -1) return posix::last_error("recv");
    return static_cast<std::size_t>(count);
  }
  [[nodiscard]] Result<std::size_t> read_some(std::span<std::byte> buffer, Deadline deadline,
                                              const Wakeup* wakeup, Look* look) const noexcept {
    if (look != nullptr && look->at_most > look->at_most.zero()) {
      auto count = look_again(*look, deadline, [&] { return read_some(buffer); });
      if (count || count.error().condition != Condition::would_block) return count;
    }
    const bool unlimited = is_socket() && wakeup == nullptr && deadline.is_never();
    for (;;) {
      auto count = unlimited ? read_waiting(buffer) : read_some(buffer);
      if (count || count.error().condition != Condition::would_block) return count;
      if (auto status = posix::wait_for_stream(fd(), POLLIN, deadline, wakeup); !status)
        return status.error();
    }
  }
  // In one call, where nothing else can end the wait. A socket that others made O_NONBLOCK says EAGAIN.
  [[nodiscard]] Result<std::size_t> read_waiting(std::span<std::byte> buffer) const noexcept {
    const std::size_t size = fault_cut(Call::channel_read, buffer.size());
    const long count = posix::retried([&] { return ::recv(fd(), buffer.data(), size, 0); });
    if (count == -1 && !is_reset()) return posix::last_error("recv");
    return static_cast<std::size_t>(std::max(count, 0L));
  }
  [[nodiscard]] Status write_both(View head, View body, Deadline deadline, const Wakeup* wakeup,
                                  bool* begun) const noexcept {
    while (!head.empty() || !body.empty()) {
      const std::size_t allowed = fault_cut(Call::channel_write, head.size() + body.size());
      const auto first = head.first(std::min(allowed, head.size()));
      const long count = write(first, body.first(allowed - first.size()));
      if (count != -1) {
        if (begun != nullptr) *begun = true;
        const auto written = static_cast<std::size_t>(count);
        const std::size_t of_head = std::min(written, head.size());
        head = head.subspan(of_head);
        body = body.subspan(written - of_head);
      } else if (is_reset() || (errno != EAGAIN && errno != EWOULDBLOCK)) {
        return posix::last_error("send");
      } else if (auto status = posix::wait_for_stream(fd(), POLLOUT, deadline, wakeup); !status) {
        return status;
      }
    }
    return {};
  }

 private:
  // After a call that failed; errno stays.
  [[nodiscard]] bool is_reset() const noexcept {
    if (errno != ECONNRESET) return false;
    was_reset_.store(true, std::memory_order_relaxed);
    return true;
  }

  [[nodiscard]] long send_both(View head, View body) const noexcept {
    constexpr int flags = MSG_DONTWAIT | posix::os::send_flags;
    if (body.empty()) return posix::retried([&] { return ::send(fd(), head.data(), head.size(), flags); });
    iovec parts[2] = {};
    std::size_t count = 0;
    for (const View part : {head, body}) {
      if (part.empty()) continue;
      parts[count].iov_base = const_cast<std::byte*>(part.data());
      parts[count++].iov_len = part.size();
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
    return posix::retried([&] { return ::sendmsg(fd(), &message, flags); });
  }

  // Otherwise errno is EAGAIN.
  [[nodiscard]] bool is_ready(short events) const noexcept {
    pollfd entry{fd(), events, 0};
    if (posix::retried([&] { return ::poll(&entry, 1, 0); }) > 0) return true;
    errno = EAGAIN;
    return false;
  }

  Handle handle_;
  Kind kind_;
  mutable std::atomic<bool> was_reset_{false};
};

Channel::Channel() noexcept = default;
Channel::Channel(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&&) noexcept = default;
Channel::~Channel() = default;
Channel::operator bool() const noexcept { return state_ != nullptr; }
RawHandle Channel::get() const noexcept { return state_ ? state_->fd() : no_handle; }
RawHandle Channel::readable() const noexcept { return get(); }
void Channel::close() noexcept { state_.reset(); }

Result<Channel> Channel::adopt(Handle handle) {
  if (auto failure = fault_point(Call::channel_adopt)) return *failure;
  const int fd = posix::to_fd(handle.get());
  if (!handle || !is_unix_stream(fd)) return refused;
  if (auto status = posix::close_on_exec(fd); !status) return status.error();
  posix::os::quiet_socket(fd);
  auto placed = posix::above_standard(posix::to_fd(handle.release()), "adopt");
  if (!placed) return placed.error();
  return Channel(std::make_unique<State>(*std::move(placed), State::Kind::pair));
}

// The end of a pipe has one direction, whatever it is wanted for; FreeBSD's have both.
StreamUse possible_use(RawHandle handle) noexcept {
  const int flags = ::fcntl(posix::to_fd(handle), F_GETFL);
  if (flags == -1) return {false, false};
  const int access = flags & O_ACCMODE;
  return {access != O_WRONLY, access != O_RDONLY};
}

Result<Channel> Channel::adopt_stream(Handle handle, StreamUse use) {
  if (auto failure = fault_point(Call::channel_adopt)) return *failure;
  const int fd = posix::to_fd(handle.get());
  struct stat about {};
  if (!handle || ::fstat(fd, &about) != 0) return closed;
  const bool is_pipe = S_ISFIFO(about.st_mode);
  if (!is_pipe && !is_stream_socket(fd, about)) return refused;
  const StreamUse possible = possible_use(handle.get());
  if ((use.reading && !possible.reading) || (use.writing && !possible.writing)) return refused;
  if (auto status = posix::close_on_exec(fd); !status) return status.error();
  if (!is_pipe) posix::os::quiet_socket(fd);
  auto placed = posix::above_standard(posix::to_fd(handle.release()), "adopt");
  if (!placed) return placed.error();
  return Channel(
      std::make_unique<State>(*std::move(placed), is_pipe ? State::Kind::foreign_pipe : State::Kind::socket));
}

Result<Channel> Channel::adopt_inherited(RawHandle handle, int creator_pid) {
  if (auto failure = fault_point(Call::channel_adopt)) return *failure;
  if (handle <= STDERR_FILENO || handle >= INT_MAX) return refused;
  const int fd = posix::to_fd(handle);
  if (!is_unix_stream(fd) || creator_pid <= 0 || posix::os::peer_pid(fd) != creator_pid) return refused;
  if (auto status = posix::close_on_exec(fd); !status) return status.error();
  posix::os::quiet_socket(fd);
  return Channel(std::make_unique<State>(Handle(handle), State::Kind::pair));
}

Result<std::size_t> Channel::read_some(std::span<std::byte> buffer) noexcept {
  if (auto failure = fault_point(Call::channel_read)) return *failure;
  if (!state_ || buffer.empty()) return closed;
  return state_->read_some(buffer);
}

Result<std::size_t> Channel::read_some(std::span<std::byte> buffer, Deadline deadline, const Wakeup* wakeup,
                                       Look* look) noexcept {
  if (auto failure = fault_point(Call::channel_read)) return *failure;
  if (!state_ || buffer.empty()) return closed;
  return state_->read_some(buffer, deadline, wakeup, look);
}

Status Channel::read_all(std::span<std::byte> buffer, Deadline deadline, const Wakeup* wakeup) noexcept {
  if (auto failure = fault_point(Call::channel_read)) return *failure;
  if (!state_) return closed;
  while (!buffer.empty()) {
    const auto count = state_->read_some(buffer, deadline, wakeup, nullptr);
    if (!count) return count.error();
    if (*count == 0) return Error{Condition::broken, 0, "recv"};
    buffer = buffer.subspan(*count);
  }
  return {};
}

Status Channel::write_all(View bytes, Deadline deadline, const Wakeup* wakeup, bool* begun) noexcept {
  return write_both(bytes, {}, deadline, wakeup, begun);
}

Status Channel::write_both(View head, View body, Deadline deadline, const Wakeup* wakeup,
                           bool* begun) noexcept {
  if (auto failure = fault_point(Call::channel_write)) return *failure;
  if (!state_) return closed;
  const bool breaks = fault_break(head, body);
  auto status = state_->write_both(head, body, deadline, wakeup, begun);
  if (status && breaks) return Error{Condition::broken, EPIPE, "send"};
  return status;
}

Status Channel::finish_writing() noexcept {
  if (auto failure = fault_point(Call::channel_finish_writing)) return *failure;
  if (!state_) return closed;
  if (!state_->is_socket()) return Error{Condition::not_supported, ENOTSOCK, "shutdown"};
  if (::shutdown(state_->fd(), SHUT_WR) != 0) return posix::last_error("shutdown");
  return {};
}

bool Channel::left_unread() const noexcept { return state_ && state_->left_unread(); }
bool Channel::was_reset() const noexcept { return state_ && state_->was_reset(); }

Result<std::pair<Channel, Channel>> channel_pair() {
  if (auto failure = fault_point(Call::channel_pair)) return *failure;
  auto ends = posix::make_socket_pair();
  if (!ends) return ends.error();
  auto first = std::make_unique<Channel::State>(std::move(ends->first), Channel::State::Kind::pair);
  auto second = std::make_unique<Channel::State>(std::move(ends->second), Channel::State::Kind::pair);
  return std::pair(Channel(std::move(first)), Channel(std::move(second)));
}

Result<StreamPipe> stream_pipe(Direction direction) {
  if (auto failure = fault_point(Call::stream_pipe)) return *failure;
  auto pipe = posix::make_pipe();
  if (!pipe) return pipe.error();
  const bool child_reads = direction == Direction::child_reads;
  Handle parent = std::move(child_reads ? pipe->write : pipe->read);
  Handle child = std::move(child_reads ? pipe->read : pipe->write);
  if (auto status = posix::set_non_blocking(posix::to_fd(parent.get())); !status) return status.error();
  return StreamPipe{Channel(std::make_unique<Channel::State>(std::move(parent), Channel::State::Kind::pipe)),
                    std::move(child)};
}

}  // namespace multiprocessing::platform
