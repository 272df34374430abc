// Messages between two processes. Python: `multiprocessing.Pipe`, `multiprocessing.connection.Connection`.
#pragma once

#include <multiprocessing/bytes.hpp>
#include <multiprocessing/detail/arguments.hpp>
#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/fingerprint.hpp>
#include <multiprocessing/detail/serialize.hpp>
#include <multiprocessing/duration.hpp>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/native_handle.hpp>
#include <multiprocessing/stop_token.hpp>
#include <multiprocessing/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing {

namespace detail {

class ConnectionState;

/// A message that came, and the handles that travelled beside it. What nobody takes is closed.
class MULTIPROCESSING_EXPORT ArrivedMessage {
 public:
  ArrivedMessage() noexcept = default;
  ArrivedMessage(std::vector<std::byte> bytes, std::vector<std::intptr_t> handles) noexcept
      : bytes_(std::move(bytes)), handles_(std::move(handles)) {}
  ArrivedMessage(ArrivedMessage&&) noexcept = default;
  ArrivedMessage& operator=(ArrivedMessage&&) = delete;
  ~ArrivedMessage();
  [[nodiscard]] std::vector<std::byte>& bytes() noexcept { return bytes_; }
  [[nodiscard]] std::span<std::intptr_t> handles() noexcept { return handles_; }

 private:
  std::vector<std::byte> bytes_;
  std::vector<std::intptr_t> handles_;
};

/// Named in error messages.
struct sent_value {};
struct received_value {};

/// What a value is sent as: literals and views as what owns their content.
template <class T>
using SentAs = typename OwnerOf<StoredArgument<T>>::type;

template <class T>
void encode_message(Encoder& encoder, const T& value) {
  using Sent = SentAs<T>;
  if constexpr (std::is_same_v<Sent, T>)
    encode(encoder, value);
  else if constexpr (is_view<T>)
    encode(encoder, Sent(value.begin(), value.end()));
  else
    encode(encoder, Sent(value));
}

}  // namespace detail

/// One end of a pipe or of a connection to another program. Movable; as an argument of a target, or inside a
/// message, the other process gets an end of its own, and the caller keeps his.
///
/// Thread-safe but for moving and destruction: messages of several senders do not mix, each goes to one of
/// several receivers. close() refuses what comes later; a call that waits already goes on to its end, and the
/// handle is closed after it.
///
/// Blocking calls throw CancelledError when `stop` was set, also while they wait for another thread's call. A
/// message that was being received then is received to its end by the next call. One that was being sent
/// closes the connection, unless nothing of it had gone out, which Windows does not tell once a write waits.
class MULTIPROCESSING_EXPORT Connection : public detail::BearsHandle {
 public:
  /// Of no pipe: closed.
  Connection() noexcept;
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  /// Adopts a stream socket or one end of a pipe (Windows: a named pipe that was opened for overlapped
  /// operations), which is closed with this, or when this throws; its peer may be a program that knows
  /// Python's framing and nothing of us. Of a pipe that goes one way, readable and writable together mean
  /// that way. Throws ValueError (neither readable nor writable), OSError (not open, of another kind, or an
  /// end that cannot be read, or not be written, where that alone is wanted).
  [[nodiscard]] static Connection from_native_handle(NativeHandle handle, bool readable = true,
                                                     bool writable = true);

  /// Sends a value of any type that an argument may have. Blocks while the peer does not read. Throws
  /// SerializationError, and nothing was sent; ConnectionError (the peer is gone; what it had sent before can
  /// still be received), OSError (closed, read-only), CancelledError.
  template <class T>
  void send(const T& value, StopToken stop = {}) {
    using Sent = detail::SentAs<T>;
    detail::require_sendable<detail::sent_value, Sent>();
    if constexpr (detail::sendable<Sent>) {
      detail::Encoder encoder = start_message(detail::fingerprint<Sent>());
      detail::encode_message(encoder, value);
      send_message(encoder, stop);
    }
  }
  /// Receives a value. Blocks. Throws EOFError (the peer is gone and everything was received), TypeError (the
  /// message holds another type; it is gone, the connection goes on), SerializationError (so does it here),
  /// OSError (closed, write-only; out of handles, where the message is gone and the connection goes on),
  /// CancelledError.
  template <class T>
  T recv(StopToken stop = {}) {
    detail::require_sendable<detail::received_value, T>();
    if constexpr (detail::sendable<T>) {
      detail::ArrivedMessage message = receive(stop);
      detail::Decoder decoder(message.bytes());
      check_type(decoder, detail::fingerprint<T>(), detail::type_name<T>());
      decoder.offer_handles(message.handles());
      T value = detail::decode<T>(decoder);
      decoder.expect_end();
      return value;
    }
  }

  /// Sends `size` bytes from `offset` on, nullopt: all that follow, as one message. Python's send_bytes() and
  /// recv_bytes() understand it. Throws ValueError (more than there are), and as send().
  void send_bytes(ByteView bytes, std::size_t offset = 0, std::optional<std::size_t> size = {},
                  StopToken stop = {});
  /// Receives one message. A longer one than `maxlength` is an OSError, and the connection is closed. Throws
  /// as recv().
  std::vector<std::byte> recv_bytes(std::optional<std::size_t> maxlength = {}, StopToken stop = {});
  /// Receives one message into the buffer from `offset` on, and returns its length. Throws ValueError (an
  /// offset behind the end), BufferTooShort, whose message() holds it all, and as recv().
  std::size_t recv_bytes_into(std::span<std::byte> buffer, std::size_t offset = 0, StopToken stop = {});

  /// Whether recv() would find something, be it the end; does not wait. Throws OSError (closed, write-only).
  [[nodiscard]] bool poll() const;
  /// As poll(), but waits until then. Throws CancelledError as well.
  [[nodiscard]] bool poll(Duration timeout, StopToken stop = {}) const;

  /// The peer reads what was sent, then EOFError. Any number of times.
  void close() noexcept;
  [[nodiscard]] bool closed() const noexcept;
  [[nodiscard]] bool readable() const;
  [[nodiscard]] bool writable() const;
  /// Stays ours. Whoever has it may use the stream beside us, and knows Python's framing at most: from now on
  /// send() of a handle is an OSError here and in copies made later. For waiting alone there is Waitable.
  /// Throws OSError when closed.
  [[nodiscard]] NativeHandle fileno() const;
  /// For connection::wait. Throws OSError when closed.
  operator Waitable() const;

  explicit Connection(std::shared_ptr<detail::ConnectionState> state) noexcept;

 private:
  friend class access;
  [[nodiscard]] Connection share() const;
  void encode(detail::Encoder& encoder) const;
  [[nodiscard]] static Connection decode(detail::Decoder& decoder);

  [[nodiscard]] static detail::Encoder start_message(std::uint64_t fingerprint);
  void send_message(const detail::Encoder& message, const StopToken& stop);
  [[nodiscard]] detail::ArrivedMessage receive(const StopToken& stop);
  static void check_type(detail::Decoder& message, std::uint64_t fingerprint, std::string_view type);

  std::shared_ptr<detail::ConnectionState> state_;
};

/// Two connected ends. With `duplex` both send and receive, without the first receives what the second sends.
/// Throws OSError.
[[nodiscard]] MULTIPROCESSING_EXPORT std::pair<Connection, Connection> Pipe(bool duplex = true);

namespace connection {
using multiprocessing::Connection;
using multiprocessing::Pipe;
}  // namespace connection

}  // namespace multiprocessing
