// What a Connection is made of: a channel, what may be done with it, and the message that is on its way.
#pragma once

#include <multiprocessing/connection.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "connection/message_stream.hpp"
#include "connection/seal.hpp"
#include "contract/channel.hpp"
#include "support/turn.hpp"

namespace multiprocessing::detail {

class ConnectionState {
 public:
  /// Who is at the other end. A stranger may know Python's framing and nothing of ours: handles travel
  /// between ends that know each other. `shared`: one of ours, whose stream somebody else may use as well,
  /// since he was given the native handle; it gets nothing but Python's framing from us.
  enum class Peer : std::uint8_t { ours, shared, stranger };
  /// With keys every message is sealed. `address`: the peer's, for the text of errors; empty if it has none.
  ConnectionState(platform::Channel channel, bool readable, bool writable, Peer peer,
                  std::optional<runtime::SealKeys> keys = {}, std::string address = {});
  ConnectionState(const ConnectionState&) = delete;
  ConnectionState& operator=(const ConnectionState&) = delete;

  void send(std::span<const std::byte> body, std::span<const std::intptr_t> handles, const StopToken& stop);
  [[nodiscard]] ArrivedMessage receive(std::optional<std::size_t> maxlength, const StopToken& stop);
  [[nodiscard]] std::size_t receive_into(std::span<std::byte> buffer, const StopToken& stop);
  [[nodiscard]] bool poll(platform::Deadline deadline, const StopToken& stop);
  void close() noexcept;

  [[nodiscard]] bool closed() const noexcept;
  /// Whether it is bound to this process: another could not go on counting its messages.
  [[nodiscard]] bool sealed() const noexcept { return seal_.has_value(); }
  [[nodiscard]] Peer peer() const noexcept { return peer_; }
  /// The native handle is given away.
  void share_stream() noexcept;
  [[nodiscard]] bool readable() const noexcept { return readable_; }
  [[nodiscard]] bool writable() const noexcept { return writable_; }
  /// Tells it from a later one with the same handle.
  [[nodiscard]] std::uint64_t identity() const noexcept { return identity_; }
  /// The channel, which stays open as long as the answer lives. Throws OSError when closed.
  [[nodiscard]] std::shared_ptr<platform::Channel> channel() const;

 private:
  [[nodiscard]] std::shared_ptr<platform::Channel> channel_to_read() const;
  [[nodiscard]] std::uint64_t next_size(platform::Channel& channel, const platform::Wakeup* wakeup);
  [[noreturn]] void fail_to_receive(const platform::Channel& channel, const platform::Error& error);
  /// Receives no more: what came is nothing that the peer could have meant.
  [[noreturn]] void refuse_to_read(const char* what_came);
  [[nodiscard]] const char* how_it_ended(const platform::Channel& channel) const noexcept;
  void break_sending() noexcept;
  void break_receiving() noexcept;
  [[nodiscard]] platform::Status put(platform::Channel& channel, std::span<const std::byte> body,
                                     std::span<const std::intptr_t> handles, const platform::Wakeup* wakeup,
                                     bool& begun);
  void break_seal(std::vector<std::byte>& body);

  const bool readable_;
  const bool writable_;
  std::atomic<Peer> peer_;
  const std::string address_;
  const std::uint64_t identity_;
  mutable std::mutex mutex_;  ///< of channel_; never held while waiting
  std::shared_ptr<platform::Channel> channel_;
  runtime::Turn sending_{"the connection"};
  runtime::Turn receiving_{"the connection"};
  // Who waited for his turn has the channel already when it is closed, and is not to go on with what another
  // left in the middle. Each belongs to the turn.
  bool sending_broken_ = false;
  std::optional<platform::Error> peer_gone_;  ///< as the first send that failed of it was told
  bool receiving_broken_ = false;
  runtime::MessageReader reader_;
  std::optional<runtime::Seal> seal_;
};

}  // namespace multiprocessing::detail
