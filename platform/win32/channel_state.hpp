// What a channel is underneath: a pipe or a socket.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "contract/channel.hpp"
#include "waiting.hpp"

namespace multiprocessing::platform {

class Channel::State {
 public:
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  virtual ~State() = default;

  [[nodiscard]] virtual RawHandle handle() const noexcept = 0;
  /// The event for readable(); from now on it is kept up to date.
  [[nodiscard]] virtual RawHandle watch() noexcept = 0;
  virtual Result<std::size_t> read_now(std::span<std::byte> buffer) noexcept = 0;
  /// Until read_now() may have something. Errors: timed_out, cancelled.
  virtual Status wait_readable(Deadline deadline, const Wakeup* wakeup) noexcept = 0;
  /// Writes all of it, or fails; how much went out of what is then given up the system does not tell. `begun`
  /// is set unless it is known that nothing did.
  virtual Status write(std::span<const std::byte> bytes, Deadline deadline, const Wakeup* wakeup,
                       bool& begun) noexcept = 0;
};

namespace win32 {

/// Until the event is set. Errors: timed_out, cancelled.
inline Status wait_for_event(const Handle& event, Deadline deadline, const Wakeup* wakeup) noexcept {
  const std::array waited = {native(event), wakeup != nullptr ? native(wakeup->waitable()) : nullptr};
  const auto first = wait_for_first(std::span(waited).first(wakeup != nullptr ? 2 : 1), deadline);
  if (!first) return first.error();
  if (*first == 1) return Error{Condition::cancelled, 0, "wait for a channel"};
  return {};
}

}  // namespace win32
}  // namespace multiprocessing::platform
