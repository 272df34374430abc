// A channel that is a socket. Its event is set by WSAEventSelect, which tells of each arrival once; after
// every read a look says whether there is more, so that the event is a level. Writes are overlapped, with an
// event of their own.
#include <algorithm>
#include <mutex>

#include "channel_state.hpp"
#include "pipe.hpp"
#include "socket.hpp"

namespace multiprocessing::platform::win32 {
namespace {

class SocketState final : public Channel::State {
 public:
  SocketState(Handle readable, Handle write_done) noexcept
      : readable_(std::move(readable)), write_done_(std::move(write_done)) {}

  Status take(Socket& socket) noexcept {
    if (WSAEventSelect(socket.get(), native(readable_), FD_READ | FD_CLOSE) != 0)
      return last_error("WSAEventSelect");
    socket_ = std::move(socket);
    const std::lock_guard lock(mutex_);
    refresh();  // what came before is not told any more
    return {};
  }

  [[nodiscard]] RawHandle handle() const noexcept override { return socket_.handle(); }
  [[nodiscard]] RawHandle watch() noexcept override { return readable_.get(); }

  Result<std::size_t> read_now(std::span<std::byte> buffer) noexcept override {
    const std::lock_guard lock(mutex_);
    const int size = static_cast<int>(std::min<std::size_t>(buffer.size(), std::size_t{1} << 30U));
    const int count = recv(socket_.get(), reinterpret_cast<char*>(buffer.data()), size, 0);
    const Error failure = count < 0 ? last_error("recv") : Error{};
    refresh();
    if (count >= 0) return static_cast<std::size_t>(count);
    if (failure.condition == Condition::broken) return std::size_t{0};
    return failure;
  }

  Status wait_readable(Deadline deadline, const Wakeup* wakeup) noexcept override {
    return wait_for_event(readable_, deadline, wakeup);
  }

  Status write(std::span<const std::byte> bytes, Deadline deadline, const Wakeup* wakeup) noexcept override {
    while (!bytes.empty()) {
      const auto written = write_some(bytes, deadline, wakeup);
      if (!written) return written.error();
      if (*written == 0) return Error{Condition::broken, 0, "WSASend"};
      bytes = bytes.subspan(*written);
    }
    return {};
  }

 private:
  /// Sets the event exactly if a read would not wait.
  void refresh() noexcept {
    char byte = 0;
    ResetEvent(native(readable_));
    if (recv(socket_.get(), &byte, 1, MSG_PEEK) >= 0 || WSAGetLastError() != WSAEWOULDBLOCK)
      SetEvent(native(readable_));
  }

  Result<std::size_t> write_some(std::span<const std::byte> bytes, Deadline deadline,
                                 const Wakeup* wakeup) noexcept {
    WSABUF buffer;
    buffer.len = static_cast<ULONG>(bytes.size());
    buffer.buf = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
    OVERLAPPED operation = {};
    operation.hEvent = unported(write_done_);
    DWORD count = 0;
    DWORD flags = 0;
    if (WSASend(socket_.get(), &buffer, 1, nullptr, 0, &operation, nullptr) != 0) {
      if (WSAGetLastError() != WSA_IO_PENDING) return last_error("WSASend");
      if (const auto waited = wait_for_event(write_done_, deadline, wakeup); !waited) {
        CancelIoEx(native(socket_.handle()), &operation);
        if (!WSAGetOverlappedResult(socket_.get(), &operation, &count, TRUE, &flags)) return waited.error();
        return std::size_t{count};
      }
    }
    if (!WSAGetOverlappedResult(socket_.get(), &operation, &count, TRUE, &flags))
      return last_error("WSASend");
    return std::size_t{count};
  }

  std::mutex mutex_;  // reader's side
  Handle readable_;
  Handle write_done_;
  Socket socket_;
};

}  // namespace

Result<Channel> make_socket_channel(Socket& socket) {
  auto readable = make_event();
  if (!readable) return readable.error();
  auto write_done = make_event();
  if (!write_done) return write_done.error();
  auto state = std::make_unique<SocketState>(*std::move(readable), *std::move(write_done));
  if (auto status = state->take(socket); !status) return status.error();
  return Channel(std::move(state));
}

}  // namespace multiprocessing::platform::win32
