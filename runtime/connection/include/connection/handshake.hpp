// Who is at the other end of a new stream? Two ways to prove that both hold the same key, each from both
// sides: ours and Python's. A handshake is told what came and answers what to say; reading, writing and time
// are its caller's.
//
// Ours, mutual: the listener says its nonce; the client says its own, and an HMAC-SHA-256 of the transcript
// under the role "client"; the listener answers with that under the role "listener". The transcript binds
// version, both nonces, what each side wants of the frames, and the address that the client connected to, so
// that a proof given to one listener is of no use to another. From the same transcript come the keys that
// seal what follows.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "contract/listener.hpp"

namespace multiprocessing::runtime {

enum class Role : unsigned char { listener, client };

/// One key for each direction.
struct SealKeys {
  using Key = std::array<std::byte, 32>;
  Key to_send{};
  Key to_receive{};
};

class Handshake {
 public:
  /// Of all messages of a peer together, until it has proved itself.
  static constexpr std::size_t most_bytes = 256;

  struct Answer {
    enum class Verdict : unsigned char { undecided, accepted, refused };
    Verdict verdict = Verdict::undecided;
    std::vector<std::byte> reply;  ///< to be sent, whatever the verdict; none if empty
    std::string reason;            ///< of a refusal
  };

  virtual ~Handshake() = default;
  /// What to say first; empty: the peer begins. Throws OSError (no random numbers).
  [[nodiscard]] virtual std::vector<std::byte> begin() = 0;
  /// The peer's next message. Throws as begin().
  [[nodiscard]] virtual Answer hear(std::span<const std::byte> message) = 0;
  /// Whether the peer has proved that it holds the key; it may still have questions.
  [[nodiscard]] virtual bool peer_has_key() const noexcept = 0;
  /// After it was accepted: what seals the messages that follow; nothing if they need no seal.
  [[nodiscard]] virtual std::optional<SealKeys> seal() const { return std::nullopt; }
};

/// `address` is the listener's end of the stream, as each side sees it. Messages are sealed if the address of
/// either side's view is not local.
[[nodiscard]] std::unique_ptr<Handshake> make_native_handshake(Role role, std::vector<std::byte> key,
                                                               const platform::Endpoint& address, bool local);
[[nodiscard]] std::unique_ptr<Handshake> make_python_handshake(Role role, std::vector<std::byte> key);

}  // namespace multiprocessing::runtime
