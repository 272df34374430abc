// What a listener is for one kind of address.
#pragma once

#include <memory>

#include "contract/listener.hpp"

namespace multiprocessing::platform {

class Listener::State {
 public:
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  virtual ~State() = default;
  [[nodiscard]] virtual Result<ConnectedStream> accept() = 0;
  [[nodiscard]] virtual RawHandle acceptable() const noexcept = 0;

  Endpoint address;
};

namespace win32 {

using ListenerState = Result<std::unique_ptr<Listener::State>>;

[[nodiscard]] ListenerState listen_on_pipe(const Endpoint& endpoint);
[[nodiscard]] Result<ConnectedStream> connect_to_pipe(const Endpoint& endpoint, Deadline deadline,
                                                      const Wakeup* wakeup);

[[nodiscard]] ListenerState listen_on_port(const Endpoint& endpoint, int queue);
[[nodiscard]] Result<ConnectedStream> connect_to_port(const Endpoint& endpoint, Deadline deadline,
                                                      const Wakeup* wakeup);

}  // namespace win32
}  // namespace multiprocessing::platform
