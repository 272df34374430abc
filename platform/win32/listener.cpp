// Listeners and connections by the kind of their address: named pipes (pipe_listener.cpp) or ports
// (socket_listener.cpp).
#include "listener.hpp"

#include <array>
#include <utility>

#include "contract/fault.hpp"
#include "pipe.hpp"
#include "socket.hpp"
#include "waiting.hpp"

namespace multiprocessing::platform {

using namespace win32;

namespace {

using Kind = Endpoint::Kind;

constexpr Error unknown_kind{Condition::not_supported, 0, "unix socket"};

bool is_internet(Kind kind) noexcept { return kind == Kind::inet || kind == Kind::inet6; }

}  // namespace

Endpoint::Kind usual_endpoint_kind() noexcept { return Kind::pipe; }

Result<Endpoint> unused_endpoint(Kind kind) {
  if (kind == Kind::inet) return Endpoint{kind, "127.0.0.1", 0, {}};
  if (kind == Kind::inet6) return Endpoint{kind, "::1", 0, {}};
  if (kind != Kind::pipe) return unknown_kind;
  const auto digits = random_digits();
  if (!digits) return digits.error();
  return Endpoint{kind, {}, 0, "\\\\.\\pipe\\listener-" + narrow_lossy(*digits)};
}

Result<Endpoint> resolve_endpoint(const Endpoint& endpoint) {
  if (!is_internet(endpoint.kind)) return endpoint;
  const auto address = look_up(endpoint, false);
  if (!address) return address.error();
  return to_endpoint(*address);
}

bool is_local(const Endpoint& endpoint) noexcept {
  if (!is_internet(endpoint.kind)) return true;
  const char* const host = endpoint.host.c_str();
  if (endpoint.kind == Kind::inet6) {
    in6_addr address{};
    return inet_pton(AF_INET6, host, &address) == 1 && IN6_IS_ADDR_LOOPBACK(&address);
  }
  in_addr address{};
  return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24U == 127;
}

Listener::Listener(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Listener::Listener(Listener&&) noexcept = default;
Listener& Listener::operator=(Listener&&) noexcept = default;
Listener::~Listener() = default;
void Listener::close() noexcept { state_.reset(); }
RawHandle Listener::acceptable() const noexcept { return state_ ? state_->acceptable() : no_handle; }

const Endpoint& Listener::address() const noexcept {
  static const Endpoint nowhere;
  return state_ ? state_->address : nowhere;
}

Result<Listener> Listener::listen(const Endpoint& endpoint, int queue) {
  if (const auto fault = fault_point(Call::listener_listen)) return *fault;
  if (endpoint.kind == Kind::unix_socket) return unknown_kind;
  auto state = is_internet(endpoint.kind) ? listen_on_port(endpoint, queue) : listen_on_pipe(endpoint);
  if (!state) return state.error();
  return Listener(*std::move(state));
}

Result<ConnectedStream> Listener::accept() {
  if (const auto fault = fault_point(Call::listener_accept)) return *fault;
  if (!state_) return mistake("Listener::accept");
  return state_->accept();
}

Result<ConnectedStream> Listener::accept(Deadline deadline, const Wakeup* wakeup) {
  if (const auto fault = fault_point(Call::listener_accept)) return *fault;
  if (!state_) return mistake("Listener::accept");
  for (;;) {
    auto taken = state_->accept();
    if (taken || taken.error().condition != Condition::would_block) return taken;
    const std::array handles = {native(state_->acceptable()),
                                wakeup != nullptr ? native(wakeup->waitable()) : nullptr};
    const auto first = wait_for_first(std::span(handles).first(wakeup != nullptr ? 2 : 1), deadline);
    if (!first) return first.error();
    if (*first == 1) return Error{Condition::cancelled, 0, "Listener::accept"};
  }
}

Result<ConnectedStream> connect_to(const Endpoint& endpoint, Deadline deadline, const Wakeup* wakeup) {
  if (const auto fault = fault_point(Call::connect)) return *fault;
  if (endpoint.kind == Kind::unix_socket) return unknown_kind;
  return is_internet(endpoint.kind) ? connect_to_port(endpoint, deadline, wakeup)
                                    : connect_to_pipe(endpoint, deadline, wakeup);
}

}  // namespace multiprocessing::platform
