// A channel that is a socket. Other processes may have it as well, so nothing that belongs to the socket, and
// not to one handle, tells of arrivals, as WSAEventSelect would: who called it last would hear everything.
// readable() is the event of a pending read of zero bytes, the *probe*, as it is for a pipe (channel.cpp): it
// completes in every process that has one, and takes nothing. recv() then says what there is; it does not
// wait, since the socket does not block, and all who share it want it so.
//
// The socket is bound to a completion port as a pipe is. It can be bound to one only: if another process has
// done so, its port lives on with the socket, though that process may end, and no packet gets into it,
// because the events of all operations here have the low bit. Under wine a probe ends with its thread all the
// same; then it is made again.
#include <algorithm>
#include <mutex>

#include "channel_state.hpp"
#include "pipe.hpp"
#include "socket.hpp"

namespace multiprocessing::platform::win32 {
namespace {

class SocketState final : public Channel::State {
 public:
  SocketState(Socket socket, Handle readable, Handle write_done) noexcept
      : readable_(std::move(readable)), write_done_(std::move(write_done)), socket_(std::move(socket)) {}
  ~SocketState() override {
    if (probe_ == Probe::pending) give_up(socket_.handle(), probe_operation_, readable_);
  }

  [[nodiscard]] RawHandle handle() const noexcept override { return socket_.handle(); }

  [[nodiscard]] RawHandle watch() noexcept override {
    const std::lock_guard lock(mutex_);
    watched_ = true;
    if (probe_completed() && probe_ != Probe::ended) (void)start_probe();  // others may have taken what came
    return readable_.get();
  }

  Result<std::size_t> read_now(std::span<std::byte> buffer) noexcept override {
    const std::lock_guard lock(mutex_);
    const int size = static_cast<int>(std::min<std::size_t>(buffer.size(), std::size_t{1} << 30U));
    const int count = recv(socket_.get(), reinterpret_cast<char*>(buffer.data()), size, 0);
    const Error failure = count < 0 ? last_error("recv") : Error{};
    if (count == 0 || failure.condition == Condition::broken) return end_of_stream();
    refresh_probe();
    if (count < 0) return failure;
    return static_cast<std::size_t>(count);
  }

  Status wait_readable(Deadline deadline, const Wakeup* wakeup) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      if (probe_completed() && probe_ != Probe::ended) {
        if (auto status = start_probe(); !status) return status;
      }
    }
    return wait_for_event(readable_, deadline, wakeup);
  }

  Status write(std::span<const std::byte> bytes, Deadline deadline, const Wakeup* wakeup,
               bool& begun) noexcept override {
    begun = true;
    while (!bytes.empty()) {
      const auto written = write_some(bytes, deadline, wakeup);
      if (!written) return written.error();
      if (*written == 0) return Error{Condition::broken, 0, "WSASend"};
      bytes = bytes.subspan(*written);
    }
    return {};
  }

 private:
  enum class Probe : unsigned char { none, pending, completed, ended };

  /// What cannot be begun, if it is not the stream that is at its end, makes the event ready: who looks then
  /// begins the next one.
  Status start_probe() noexcept {
    if (!bound_) outlive_threads(socket_.handle());
    bound_ = true;
    probe_operation_ = {};
    probe_operation_.hEvent = unported(readable_);
    WSABUF nothing = {0, &nothing_};
    DWORD flags = 0;
    if (WSARecv(socket_.get(), &nothing, 1, nullptr, &flags, &probe_operation_, nullptr) == 0) {
      probe_ = Probe::completed;
      return {};
    }
    const Error failure = last_error("WSARecv");
    if (failure.native == WSA_IO_PENDING) {
      probe_ = Probe::pending;
      return {};
    }
    SetEvent(native(readable_));
    probe_ = failure.condition == Condition::broken ? Probe::ended : Probe::none;
    if (probe_ == Probe::ended) return {};
    return failure;
  }

  /// Whether there is none that could still complete.
  bool probe_completed() noexcept {
    if (probe_ == Probe::pending && is_over(probe_operation_, readable_)) probe_ = Probe::completed;
    return probe_ != Probe::pending;
  }

  /// After a read: what has completed and is wanted is made again, and completes at once if more is there.
  void refresh_probe() noexcept {
    if (!probe_completed() || probe_ == Probe::ended) return;
    probe_ = Probe::none;
    if (watched_) (void)start_probe();
  }

  Result<std::size_t> end_of_stream() noexcept {
    if (probe_completed()) probe_ = Probe::ended;
    SetEvent(native(readable_));
    return std::size_t{0};
  }

  /// Waits until it is over. The number of bytes, or why there are none.
  Result<std::size_t> finish(OVERLAPPED& operation) noexcept {
    DWORD count = 0;
    DWORD flags = 0;
    if (!WSAGetOverlappedResult(socket_.get(), &operation, &count, TRUE, &flags))
      return last_error("WSAGetOverlappedResult");
    return std::size_t{count};
  }

  Result<std::size_t> write_some(std::span<const std::byte> bytes, Deadline deadline,
                                 const Wakeup* wakeup) noexcept {
    WSABUF buffer;
    buffer.len = static_cast<ULONG>(bytes.size());
    buffer.buf = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
    OVERLAPPED operation = {};
    operation.hEvent = unported(write_done_);
    if (WSASend(socket_.get(), &buffer, 1, nullptr, 0, &operation, nullptr) != 0) {
      if (WSAGetLastError() != WSA_IO_PENDING) return last_error("WSASend");
      if (const auto waited = wait_for_event(write_done_, deadline, wakeup); !waited) {
        CancelIoEx(native(socket_.handle()), &operation);
        const auto written = finish(operation);
        if (!written) return waited.error();
        return written;
      }
    }
    return finish(operation);
  }

  std::mutex mutex_;  // reader's side: readable() may be called while another thread reads
  Handle readable_;
  Handle write_done_;
  Socket socket_;
  OVERLAPPED probe_operation_ = {};
  Probe probe_ = Probe::none;
  bool watched_ = false;
  bool bound_ = false;
  char nothing_ = 0;
};

/// A listener and a connect leave an event with the socket, which would go on being set, and with which the
/// system refuses to change the mode.
Status make_nonblocking(const Socket& socket) noexcept {
  if (WSAEventSelect(socket.get(), nullptr, 0) != 0) return last_error("WSAEventSelect");
  u_long on = 1;
  if (ioctlsocket(socket.get(), static_cast<long>(FIONBIO), &on) != 0) return last_error("ioctlsocket");
  return {};
}

}  // namespace

Result<Channel> make_socket_channel(Socket& socket) {
  auto readable = make_event();
  if (!readable) return readable.error();
  auto write_done = make_event();
  if (!write_done) return write_done.error();
  if (auto status = can_outlive_threads(); !status) return status.error();
  if (auto status = make_nonblocking(socket); !status) return status.error();
  return Channel(
      std::make_unique<SocketState>(std::move(socket), *std::move(readable), *std::move(write_done)));
}

}  // namespace multiprocessing::platform::win32
