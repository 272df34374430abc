// The members of Connection, and Pipe().
#include <multiprocessing/connection.hpp>

#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include "connection/connection_state.hpp"
#include "contract/handle_transfer.hpp"
#include "support/deadline.hpp"
#include "support/errors.hpp"

namespace multiprocessing {
namespace {

using detail::ConnectionState;

constexpr const char* bound_to_process =
    "a connection to another machine stays in its process: its messages are numbered there";

ConnectionState& usable(const std::shared_ptr<ConnectionState>& state) {
  if (state == nullptr)
    throw OSError(std::make_error_code(std::errc::bad_file_descriptor), "the connection is closed");
  return *state;
}

using Peer = ConnectionState::Peer;

Connection make_connection(platform::Channel channel, bool readable, bool writable, Peer peer) {
  return Connection(std::make_shared<ConnectionState>(std::move(channel), readable, writable, peer));
}

}  // namespace

Connection::Connection() noexcept = default;
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;
Connection::Connection(std::shared_ptr<detail::ConnectionState> state) noexcept : state_(std::move(state)) {}

Connection Connection::from_native_handle(NativeHandle handle, bool readable, bool writable) {
  platform::Handle owned((platform::RawHandle)handle.native());
  if (!readable && !writable) throw ValueError("from_native_handle: neither readable nor writable");
  if (readable && writable) {
    // Of a pipe, both means: as it goes.
    const auto possible = platform::possible_use(owned.get());
    if (possible.reading || possible.writing) {
      readable = possible.reading;
      writable = possible.writing;
    }
  }
  return make_connection(
      runtime::value_or_throw(platform::Channel::adopt_stream(std::move(owned), {readable, writable}),
                              "from_native_handle"),
      readable, writable, Peer::stranger);
}

void Connection::send_bytes(ByteView bytes, std::size_t offset, std::optional<std::size_t> size,
                            StopToken stop) {
  if (offset > bytes.size())
    throw ValueError("send_bytes: offset " + std::to_string(offset) + " lies behind the end of " +
                     std::to_string(bytes.size()) + " bytes");
  const auto rest = bytes.span().subspan(offset);
  if (size.value_or(0) > rest.size())
    throw ValueError("send_bytes: " + std::to_string(*size) + " bytes from offset " + std::to_string(offset) +
                     " on are more than there are");
  usable(state_).send(rest.first(size.value_or(rest.size())), {}, stop);
}

std::vector<std::byte> Connection::recv_bytes(std::optional<std::size_t> maxlength, StopToken stop) {
  return std::move(usable(state_).receive(maxlength, stop).bytes());
}

std::size_t Connection::recv_bytes_into(std::span<std::byte> buffer, std::size_t offset, StopToken stop) {
  if (offset > buffer.size())
    throw ValueError("recv_bytes_into: offset " + std::to_string(offset) + " lies behind the end of " +
                     std::to_string(buffer.size()) + " bytes");
  return usable(state_).receive_into(buffer.subspan(offset), stop);
}

bool Connection::poll() const { return usable(state_).poll(platform::Deadline::now(), {}); }

bool Connection::poll(Duration timeout, StopToken stop) const {
  return usable(state_).poll(runtime::deadline_after(timeout), stop);
}

void Connection::close() noexcept {
  if (state_ != nullptr) state_->close();
}

bool Connection::closed() const noexcept { return state_ == nullptr || state_->closed(); }
bool Connection::readable() const { return usable(state_).readable(); }
bool Connection::writable() const { return usable(state_).writable(); }

NativeHandle Connection::fileno() const {
  auto& state = usable(state_);
  const auto channel = state.channel();
  state.share_stream();
  return {(NativeHandle::native_type)channel->get()};
}

Connection::operator Waitable() const {
  auto& state = usable(state_);
  return {NativeHandle((NativeHandle::native_type)state.channel()->readable()), state.identity()};
}

// ---- on the way to another process

Connection Connection::share() const {
  auto& state = usable(state_);
  if (state.sealed()) throw ValueError(bound_to_process);
  const auto channel = state.channel();
  platform::Handle copy(
      runtime::value_or_throw(platform::duplicate_handle(channel->get()), "the connection"));
  return make_connection(runtime::value_or_throw(platform::Channel::adopt_stream(
                                                     std::move(copy), {state.readable(), state.writable()}),
                                                 "the connection"),
                         state.readable(), state.writable(), state.peer());
}

void Connection::encode(detail::Encoder& encoder) const {
  if (closed()) encoder.fail("the connection is closed");
  if (state_->sealed()) encoder.fail(bound_to_process);
  const auto channel = state_->channel();
  encoder.attach_handle(channel->get(), channel);
  encoder.number(state_->readable());
  encoder.number(state_->writable());
  encoder.number(static_cast<std::uint8_t>(state_->peer()));
}

Connection Connection::decode(detail::Decoder& decoder) {
  platform::Handle handle(decoder.take_handle());
  const bool readable = decoder.number<bool>();
  const bool writable = decoder.number<bool>();
  const auto peer = decoder.number<std::uint8_t>();
  if (peer > static_cast<std::uint8_t>(Peer::stranger))
    decoder.fail("a peer of kind " + std::to_string(peer));
  return make_connection(
      runtime::value_or_throw(platform::Channel::adopt_stream(std::move(handle), {readable, writable}),
                              "a connection"),
      readable, writable, static_cast<Peer>(peer));
}

// ---- typed messages: the type's fingerprint, then the value

detail::Encoder Connection::start_message(std::uint64_t fingerprint) {
  detail::Encoder encoder;
  encoder.allow_handles();
  encoder.number(fingerprint);
  return encoder;
}

void Connection::send_message(const detail::Encoder& message, const StopToken& stop) {
  usable(state_).send(message.bytes(), message.handles(), stop);
}

detail::ArrivedMessage Connection::receive(const StopToken& stop) { return usable(state_).receive({}, stop); }

void Connection::check_type(detail::Decoder& message, std::uint64_t fingerprint, std::string_view type) {
  if (message.remaining() >= sizeof fingerprint && message.number<std::uint64_t>() == fingerprint) return;
  throw TypeError("the message holds another type than " + std::string(type) +
                  ", or bytes; it is gone, and the connection goes on");
}

std::pair<Connection, Connection> Pipe(bool duplex) {
  auto ends = runtime::value_or_throw(platform::channel_pair(), "Pipe");
  return {make_connection(std::move(ends.first), true, duplex, Peer::ours),
          make_connection(std::move(ends.second), duplex, true, Peer::ours)};
}

}  // namespace multiprocessing
