// Sockets of TCP: their owner, their names, and channels made of them.
#pragma once

#include <memory>
#include <utility>

#include "contract/listener.hpp"
#include "win32.hpp"

#include <winsock2.h>
#include <ws2tcpip.h>

namespace multiprocessing::platform::win32 {

/// Sole owner of a socket, which CloseHandle must not close.
class Socket {
 public:
  Socket() noexcept = default;
  explicit Socket(SOCKET socket) noexcept : socket_(socket) {}
  Socket(Socket&& other) noexcept : socket_(std::exchange(other.socket_, INVALID_SOCKET)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (socket_ != INVALID_SOCKET) closesocket(socket_);
  }
  explicit operator bool() const noexcept { return socket_ != INVALID_SOCKET; }
  [[nodiscard]] SOCKET get() const noexcept { return socket_; }
  [[nodiscard]] RawHandle handle() const noexcept { return static_cast<RawHandle>(socket_); }

 private:
  SOCKET socket_ = INVALID_SOCKET;
};

struct SocketAddress {
  sockaddr_storage storage{};
  int size = 0;
  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

/// `numeric`: no name is asked for. Errors: not_found, out_of_memory, not_supported, other.
[[nodiscard]] Result<SocketAddress> look_up(const Endpoint& endpoint, bool numeric);
[[nodiscard]] Endpoint to_endpoint(const SocketAddress& address);
[[nodiscard]] Endpoint local_endpoint(const Socket& socket);
[[nodiscard]] Endpoint peer_endpoint(const Socket& socket);

/// Overlapped, not inheritable.
[[nodiscard]] Result<Socket> make_socket(int family);
/// Whether winsock knows it as a socket of TCP.
[[nodiscard]] bool is_socket(RawHandle handle) noexcept;
/// Takes the handle over if it is one of a socket of TCP, wherever it came from; else the answer is no
/// socket, and the handle stays. Errors: out_of_handles, out_of_memory, other.
[[nodiscard]] Result<Socket> take_socket(Handle& handle);
/// Takes the socket only if it succeeds.
[[nodiscard]] Result<Channel> make_socket_channel(Socket& socket);
[[nodiscard]] Result<ConnectedStream> to_stream(Socket socket);

}  // namespace multiprocessing::platform::win32
