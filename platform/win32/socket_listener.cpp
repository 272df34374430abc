// Listening on a port, which nobody else may share, and connecting to one. What accept() makes can be
// inherited for an instant, as in CPython; only AcceptEx() takes a socket that cannot. It is not used: it has
// to wait for a client all the time, in one thread or bound to a completion port, where an event tells
// enough. No child of ours inherits what was not named for it (PROC_THREAD_ATTRIBUTE_HANDLE_LIST); one that
// others start in that instant, and let inherit everything, holds the connection open.
#include <algorithm>
#include <memory>
#include <utility>

#include "channel_state.hpp"
#include "listener.hpp"
#include "socket.hpp"

namespace multiprocessing::platform::win32 {
namespace {

Status set_option(const Socket& socket, int level, int option) noexcept {
  const BOOL on = TRUE;
  if (setsockopt(socket.get(), level, option, reinterpret_cast<const char*>(&on), sizeof on) != 0)
    return last_error("setsockopt");
  return {};
}

class SocketListener final : public Listener::State {
 public:
  SocketListener(Socket socket, Handle event) noexcept
      : event_(std::move(event)), socket_(std::move(socket)) {}

  [[nodiscard]] RawHandle acceptable() const noexcept override { return event_.get(); }

  /// accept() makes the system set the event again if there is more.
  [[nodiscard]] Result<ConnectedStream> accept() override {
    for (;;) {
      ResetEvent(native(event_));
      Socket taken(::accept(socket_.get(), nullptr, nullptr));
      if (!taken) {
        const Error failure = last_error("accept");
        if (failure.condition == Condition::broken) continue;  // it went away before it was accepted
        return failure;
      }
      SetHandleInformation(native(taken.handle()), HANDLE_FLAG_INHERIT, 0);
      return to_stream(std::move(taken));
    }
  }

 private:
  Handle event_;
  Socket socket_;
};

Status finish_connecting(const Socket& socket, const Handle& event, Deadline deadline, const Wakeup* wakeup) {
  if (auto status = wait_for_event(event, deadline, wakeup); !status) return status;
  WSANETWORKEVENTS events{};
  if (WSAEnumNetworkEvents(socket.get(), native(event), &events) != 0)
    return last_error("WSAEnumNetworkEvents");
  const int code = events.iErrorCode[FD_CONNECT_BIT];
  if (code != 0) return error_of(static_cast<DWORD>(code), "connect");
  return {};
}

}  // namespace

ListenerState listen_on_port(const Endpoint& endpoint, int queue) {
  const auto address = look_up(endpoint, true);
  if (!address) return address.error();
  auto socket = make_socket(address->storage.ss_family);
  if (!socket) return socket.error();
  if (auto status = set_option(*socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE); !status) return status.error();
  if (address->storage.ss_family == AF_INET6) {
    if (auto status = set_option(*socket, IPPROTO_IPV6, IPV6_V6ONLY); !status) return status.error();
  }
  auto event = make_event();
  if (!event) return event.error();
  if (bind(socket->get(), address->get(), address->size) != 0) return last_error("bind");
  if (WSAEventSelect(socket->get(), native(*event), FD_ACCEPT) != 0) return last_error("WSAEventSelect");
  if (listen(socket->get(), std::clamp(queue, 1, SOMAXCONN)) != 0) return last_error("listen");
  const Endpoint bound = local_endpoint(*socket);
  auto state = std::make_unique<SocketListener>(*std::move(socket), *std::move(event));
  state->address = bound;
  return std::unique_ptr<Listener::State>(std::move(state));
}

Result<ConnectedStream> connect_to_port(const Endpoint& endpoint, Deadline deadline, const Wakeup* wakeup) {
  const auto address = look_up(endpoint, true);
  if (!address) return address.error();
  auto socket = make_socket(address->storage.ss_family);
  if (!socket) return socket.error();
  auto event = make_event();
  if (!event) return event.error();
  if (WSAEventSelect(socket->get(), native(*event), FD_CONNECT) != 0) return last_error("WSAEventSelect");
  if (connect(socket->get(), address->get(), address->size) != 0) {
    if (WSAGetLastError() != WSAEWOULDBLOCK) return last_error("connect");
    if (auto status = finish_connecting(*socket, *event, deadline, wakeup); !status) return status.error();
  }
  return to_stream(*std::move(socket));
}

}  // namespace multiprocessing::platform::win32
