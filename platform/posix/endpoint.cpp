// Names of hosts are asked of getaddrinfo(); numbers go through getnameinfo() and inet_pton(). A unix
// socket's name is a path, never an abstract one, which knows no permissions. Manual pages: getaddrinfo(3),
// unix(7).
#include "endpoint.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "descriptor.hpp"
#include "error.hpp"
#include "os_calls.hpp"

namespace multiprocessing::platform {
namespace posix {
namespace {

using Kind = Endpoint::Kind;
using Found = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

bool is_internet(Kind kind) noexcept { return kind == Kind::inet || kind == Kind::inet6; }

Condition condition_of_lookup(int code) noexcept {
  if (code == EAI_MEMORY) return Condition::out_of_memory;
  if (code == EAI_FAMILY || code == EAI_SOCKTYPE || code == EAI_SERVICE) return Condition::not_supported;
  return Condition::not_found;
}

/// Numbers of its own, and words for them.
class LookupCategory final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "getaddrinfo"; }
  [[nodiscard]] std::string message(int code) const override { return ::gai_strerror(code); }
  [[nodiscard]] std::error_condition default_error_condition(int code) const noexcept override {
    return Error{condition_of_lookup(code)}.code().default_error_condition();
  }
};

Error failed_lookup(int code) noexcept {
  if (code == EAI_SYSTEM) return last_error("getaddrinfo");
  static const LookupCategory category;
  return {condition_of_lookup(code), code, "getaddrinfo", &category};
}

Result<SocketAddress> look_up(const Endpoint& endpoint, int flags) noexcept {
  addrinfo wanted{};
  wanted.ai_family = endpoint.kind == Kind::inet6 ? AF_INET6 : AF_INET;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = flags | AI_NUMERICSERV | AI_PASSIVE;
  const char* host = endpoint.host.empty() ? nullptr : endpoint.host.c_str();
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host, std::to_string(endpoint.port).c_str(), &wanted, &list);
  if (code != 0) return failed_lookup(code);
  const Found found(list, &::freeaddrinfo);
  SocketAddress address;
  address.size = std::min<socklen_t>(found->ai_addrlen, sizeof address.storage);
  std::memcpy(&address.storage, found->ai_addr, address.size);
  return address;
}

Result<SocketAddress> of_path(const std::string& path) noexcept {
  sockaddr_un name{};
  if (path.empty() || path.find('\0') != std::string::npos)
    return Error{Condition::invalid_argument, EINVAL, "unix socket"};
  if (path.size() >= sizeof name.sun_path) return Error{Condition::too_long, ENAMETOOLONG, "unix socket"};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
  SocketAddress address;
  std::memcpy(&address.storage, &name, sizeof name);
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

std::string path_of(const SocketAddress& address) {
  const auto* name = reinterpret_cast<const sockaddr_un*>(&address.storage);
  const std::size_t header = offsetof(sockaddr_un, sun_path);
  if (address.size <= header) return {};
  return {name->sun_path, ::strnlen(name->sun_path, address.size - header)};
}

void send_at_once(int fd) noexcept {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Result<SocketAddress> to_socket_address(const Endpoint& endpoint) noexcept {
  if (endpoint.kind == Kind::pipe) return Error{Condition::not_supported, 0, "named pipe"};
  if (endpoint.kind == Kind::unix_socket) return of_path(endpoint.path);
  return look_up(endpoint, AI_NUMERICHOST);
}

Endpoint to_endpoint(const SocketAddress& address) {
  Endpoint endpoint;
  if (address.family() == AF_UNIX || address.size == 0) {
    endpoint.kind = Kind::unix_socket;
    endpoint.path = path_of(address);
    return endpoint;
  }
  char host[NI_MAXHOST] = "";
  char port[NI_MAXSERV] = "";
  ::getnameinfo(address.get(), address.size, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
  endpoint.kind = address.family() == AF_INET6 ? Kind::inet6 : Kind::inet;
  endpoint.host = host;
  endpoint.port = static_cast<std::uint16_t>(std::atoi(port));
  return endpoint;
}

Endpoint local_endpoint(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (::getsockname(fd, address.get(), &address.size) != 0) return {};
  return to_endpoint(address);
}

Endpoint peer_endpoint(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (::getpeername(fd, address.get(), &address.size) != 0) return {};
  return to_endpoint(address);
}

Result<Handle> make_socket(int family) {
  if (born_close_on_exec()) return above_standard(os::socket_close_on_exec(family), "socket");
  const auto lock = birth_lock();
  auto made = above_standard(::socket(family, SOCK_STREAM, 0), "socket");
  if (made) (void)close_on_exec(to_fd(made->get()));
  return made;
}

Result<Handle> accept_socket(int fd, SocketAddress& peer) {
  const auto take = [&](auto accept) {
    return retried([&] {
      peer.size = sizeof peer.storage;
      return accept(fd, peer.get(), &peer.size);
    });
  };
  if (born_close_on_exec()) return above_standard(take(&os::accept_close_on_exec), "accept");
  const auto lock = birth_lock();
  auto made = above_standard(take(&::accept), "accept");
  if (made) (void)close_on_exec(to_fd(made->get()));
  return made;
}

Result<ConnectedStream> to_stream(Handle socket) {
  ConnectedStream stream;
  const int fd = to_fd(socket.get());
  stream.local = local_endpoint(fd);
  stream.peer = peer_endpoint(fd);
  if (is_internet(stream.local.kind)) send_at_once(fd);
  auto channel = Channel::adopt_stream(std::move(socket));
  if (!channel) return channel.error();
  stream.channel = *std::move(channel);
  return stream;
}

}  // namespace posix

Result<Endpoint> resolve_endpoint(const Endpoint& endpoint) {
  if (!posix::is_internet(endpoint.kind)) return endpoint;
  const auto address = posix::look_up(endpoint, 0);
  if (!address) return address.error();
  return posix::to_endpoint(*address);
}

bool is_local(const Endpoint& endpoint) noexcept {
  if (!posix::is_internet(endpoint.kind)) return true;
  const auto address = posix::to_socket_address(endpoint);
  if (!address) return false;
  if (address->family() == AF_INET) {
    const auto* name = reinterpret_cast<const sockaddr_in*>(&address->storage);
    return ntohl(name->sin_addr.s_addr) >> 24 == 127;
  }
  const auto* name = reinterpret_cast<const sockaddr_in6*>(&address->storage);
  return IN6_IS_ADDR_LOOPBACK(&name->sin6_addr);
}

}  // namespace multiprocessing::platform
