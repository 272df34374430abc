// Streams between processes that know an address, and not each other: who listens, who connects. TCP over
// IPv4 and IPv6, unix sockets, named pipes; what is accepted or connected is a Channel. Who may speak is
// decided above: a peer is anybody who reaches the address.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "contract/channel.hpp"
#include "contract/clock.hpp"
#include "contract/handle.hpp"
#include "contract/wait.hpp"

namespace multiprocessing::platform {

/// Where a listener can be reached.
struct Endpoint {
  enum class Kind : std::uint8_t { inet, inet6, unix_socket, pipe };
  Kind kind = Kind::inet;
  std::string host;        ///< of inet and inet6; empty: every address of this machine
  std::uint16_t port = 0;  ///< of inet and inet6; to listen on, 0: one that is free
  std::string path;        ///< of the others, UTF-8; that of a peer may be empty: it has no name
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// What a listener without a given address has: a unix socket or a named pipe.
[[nodiscard]] Endpoint::Kind usual_endpoint_kind() noexcept;

/// A name that is free and that no other user can reach: a random one in a folder of mode 0700, or of a pipe;
/// an address of the machine itself and port 0. What killed processes left in that folder is removed. Errors:
/// not_supported (the kind), permission_denied (the folder is not this user's alone), not_found, too_long,
/// out_of_space, other.
[[nodiscard]] Result<Endpoint> unused_endpoint(Endpoint::Kind kind);

/// The same with the host in numbers, the first if it has several addresses; a path stays as it is. Errors:
/// not_found (no such host), not_supported (the kind), out_of_memory, other. Blocks, for names that are not
/// this machine's as long as the system's resolver does.
[[nodiscard]] Result<Endpoint> resolve_endpoint(const Endpoint& endpoint);

/// Whether no byte that goes there leaves the machine. False for hosts that are not in numbers.
[[nodiscard]] bool is_local(const Endpoint& endpoint) noexcept;

/// A connected stream, and the names of both ends: numbers, or for a unix socket the path of the listener's
/// end without links, as the one bound and the other asked for it.
struct ConnectedStream {
  Channel channel;
  Endpoint local;
  Endpoint peer;
};

/// A queue as long as the system allows. Where one is full TCP may tell a client that it is connected, and
/// the system of the listener forgets it: who waits for the listener's first word then waits for ever.
inline constexpr int longest_queue = std::numeric_limits<int>::max();

/// Closed, and the name of its socket gone, when it goes. A process that inherited it by a fork leaves the
/// name. Not thread-safe, but that another thread may wait for acceptable().
class Listener {
 public:
  /// Of a resolved endpoint. `queue`: how many may be connected before they are accepted, where the system
  /// lets one say. A unix socket that a killed process left is replaced (see
  /// Capabilities::tells_abandoned); it and a pipe are open to this user alone. Of several that want one
  /// address at the same moment one gets it; for that it may wait, up to a second. Errors: already_exists
  /// (somebody listens there, or it is no socket), not_found (no such folder, no such address on this
  /// machine), permission_denied, too_long, invalid_argument, not_supported (the kind), out_of_handles,
  /// out_of_memory, other.
  [[nodiscard]] static Result<Listener> listen(const Endpoint& endpoint, int queue);
  Listener(Listener&&) noexcept;
  Listener& operator=(Listener&&) noexcept;
  ~Listener();

  /// As it was given, with the port that it got.
  [[nodiscard]] const Endpoint& address() const noexcept;
  /// Takes what waits, without waiting. Errors: would_block, out_of_handles, out_of_memory, other. After one
  /// of them it goes on listening.
  [[nodiscard]] Result<ConnectedStream> accept();
  /// As accept(), but waits. Errors: timed_out, cancelled too. Blocks.
  [[nodiscard]] Result<ConnectedStream> accept(Deadline deadline, const Wakeup* wakeup = nullptr);
  /// Ready when accept() would not say would_block; the same for its life.
  [[nodiscard]] RawHandle acceptable() const noexcept;
  void close() noexcept;

  class State;
  explicit Listener(std::unique_ptr<State> state) noexcept;

 private:
  std::unique_ptr<State> state_;
};

/// Connects to a resolved endpoint. Errors: broken (nobody listens, or no way leads there), not_found (no
/// such path), permission_denied, too_long, invalid_argument, timed_out, cancelled, not_supported (the kind),
/// out_of_handles, out_of_memory, other. Blocks.
[[nodiscard]] Result<ConnectedStream> connect_to(const Endpoint& endpoint, Deadline deadline,
                                                 const Wakeup* wakeup = nullptr);

}  // namespace multiprocessing::platform
