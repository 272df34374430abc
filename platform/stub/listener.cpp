// Listeners that cannot be made.
#include "contract/listener.hpp"

#include "contract/fault.hpp"
#include "not_supported.hpp"

namespace multiprocessing::platform {

class Listener::State {};

Listener::Listener(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Listener::Listener(Listener&&) noexcept = default;
Listener& Listener::operator=(Listener&&) noexcept = default;
Listener::~Listener() = default;

Endpoint::Kind usual_endpoint_kind() noexcept { return Endpoint::Kind::inet; }
Result<Endpoint> unused_endpoint(Endpoint::Kind) { return not_supported("unused_endpoint"); }
Result<Endpoint> resolve_endpoint(const Endpoint&) { return not_supported("resolve_endpoint"); }
bool is_local(const Endpoint&) noexcept { return false; }

Result<Listener> Listener::listen(const Endpoint&, int) {
  if (const auto fault = fault_point(Call::listener_listen)) return *fault;
  return not_supported("Listener::listen");
}

const Endpoint& Listener::address() const noexcept {
  static const Endpoint nowhere;
  return nowhere;
}

Result<ConnectedStream> Listener::accept() {
  if (const auto fault = fault_point(Call::listener_accept)) return *fault;
  return not_supported("Listener::accept");
}

Result<ConnectedStream> Listener::accept(Deadline, const Wakeup*) { return accept(); }
RawHandle Listener::acceptable() const noexcept { return no_handle; }
void Listener::close() noexcept {}

Result<ConnectedStream> connect_to(const Endpoint&, Deadline, const Wakeup*) {
  if (const auto fault = fault_point(Call::connect)) return *fault;
  return not_supported("connect_to");
}

}  // namespace multiprocessing::platform
