// Endpoints as the system's socket addresses, and sockets of their families.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "contract/handle.hpp"
#include "contract/listener.hpp"

namespace multiprocessing::platform::posix {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] int family() const noexcept { return storage.ss_family; }
};

/// Of an endpoint in numbers. Errors: invalid_argument, too_long, not_supported (a pipe).
[[nodiscard]] Result<SocketAddress> to_socket_address(const Endpoint& endpoint) noexcept;
[[nodiscard]] Endpoint to_endpoint(const SocketAddress& address);
[[nodiscard]] Endpoint local_endpoint(int fd);
[[nodiscard]] Endpoint peer_endpoint(int fd);

/// A stream socket of that family, close-on-exec.
[[nodiscard]] Result<Handle> make_socket(int family);
/// Errors: would_block and what accept(2) says.
[[nodiscard]] Result<Handle> accept_socket(int fd, SocketAddress& peer);
/// As a Channel, with both names.
[[nodiscard]] Result<ConnectedStream> to_stream(Handle socket);

}  // namespace multiprocessing::platform::posix
