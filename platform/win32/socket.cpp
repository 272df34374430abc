// Winsock is started at first use, for the life of the process. Names go through GetAddrInfoW(), numbers
// through inet_ntop().
//
// The handle of a socket that came from another process is one like any other. Windows makes a socket of it
// when winsock is first asked about it, as with one that was inherited; wine does not, and asks for the
// way that is documented, WSADuplicateSocketW, here from this process to itself.
#include "socket.hpp"

#include <memory>
#include <string>

namespace multiprocessing::platform::win32 {
namespace {

using Kind = Endpoint::Kind;

Status start_sockets() {
  static const int failure = [] {
    WSADATA data;
    return WSAStartup(MAKEWORD(2, 2), &data);
  }();
  if (failure != 0) return error_of(static_cast<DWORD>(failure), "WSAStartup");
  return {};
}

struct FreeList {
  void operator()(ADDRINFOW* list) const noexcept { FreeAddrInfoW(list); }
};

}  // namespace

Result<SocketAddress> look_up(const Endpoint& endpoint, bool numeric) {
  if (auto status = start_sockets(); !status) return status.error();
  const auto host = widen(endpoint.host);
  if (!host) return host.error();
  ADDRINFOW wanted{};
  wanted.ai_family = endpoint.kind == Kind::inet6 ? AF_INET6 : AF_INET;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | (numeric ? AI_NUMERICHOST : 0);
  ADDRINFOW* list = nullptr;
  const int code = GetAddrInfoW(host->empty() ? nullptr : host->c_str(),
                                std::to_wstring(endpoint.port).c_str(), &wanted, &list);
  if (code != 0) return error_of(static_cast<DWORD>(code), "GetAddrInfoW");
  const std::unique_ptr<ADDRINFOW, FreeList> found(list);
  SocketAddress address;
  address.size = static_cast<int>(found->ai_addrlen);
  if (found->ai_addrlen > sizeof address.storage) return mistake("GetAddrInfoW");
  memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  return address;
}

Endpoint to_endpoint(const SocketAddress& address) {
  Endpoint endpoint;
  char text[INET6_ADDRSTRLEN] = "";
  if (address.storage.ss_family == AF_INET6) {
    auto name = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    inet_ntop(AF_INET6, const_cast<IN6_ADDR*>(&name->sin6_addr), text, sizeof text);
    endpoint.kind = Kind::inet6;
    endpoint.port = ntohs(name->sin6_port);
  } else {
    auto name = reinterpret_cast<const sockaddr_in*>(&address.storage);
    inet_ntop(AF_INET, const_cast<IN_ADDR*>(&name->sin_addr), text, sizeof text);
    endpoint.port = ntohs(name->sin_port);
  }
  endpoint.host = text;
  return endpoint;
}

Endpoint local_endpoint(const Socket& socket) {
  SocketAddress address;
  address.size = sizeof address.storage;
  return getsockname(socket.get(), address.get(), &address.size) == 0 ? to_endpoint(address) : Endpoint{};
}

Endpoint peer_endpoint(const Socket& socket) {
  SocketAddress address;
  address.size = sizeof address.storage;
  return getpeername(socket.get(), address.get(), &address.size) == 0 ? to_endpoint(address) : Endpoint{};
}

Result<Socket> make_socket(int family) {
  if (auto status = start_sockets(); !status) return status.error();
  Socket socket(WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, nullptr, 0,
                           WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
  if (!socket) return last_error("WSASocketW");
  return socket;
}

bool is_socket(RawHandle handle) noexcept {
  if (!start_sockets()) return false;
  int type = 0;
  int size = sizeof type;
  return getsockopt(static_cast<SOCKET>(handle), SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type),
                    &size) == 0 &&
         type == SOCK_STREAM;
}

Result<Socket> take_socket(Handle& handle) {
  if (is_socket(handle.get())) return Socket(static_cast<SOCKET>(handle.release()));
  if (auto status = start_sockets(); !status) return status.error();
  WSAPROTOCOL_INFOW description{};
  if (WSADuplicateSocketW(static_cast<SOCKET>(handle.get()), GetCurrentProcessId(), &description) != 0) {
    const int code = WSAGetLastError();
    if (code == WSAENOTSOCK || code == WSAEOPNOTSUPP) return Socket();
    return last_error("WSADuplicateSocketW");
  }
  Socket socket(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &description, 0,
                           WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
  if (!socket) return last_error("WSASocketW");
  if (!is_socket(socket.handle())) return Socket();
  handle.reset();
  return socket;
}

Result<ConnectedStream> to_stream(Socket socket) {
  const BOOL on = TRUE;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&on), sizeof on);
  ConnectedStream stream;
  stream.local = local_endpoint(socket);
  stream.peer = peer_endpoint(socket);
  auto channel = make_socket_channel(socket);
  if (!channel) return channel.error();
  stream.channel = *std::move(channel);
  return stream;
}

}  // namespace multiprocessing::platform::win32
