// Sending, receiving and waiting on one channel, from several threads.
#include "connection/connection_state.hpp"

#include <atomic>
#include <cerrno>
#include <multiprocessing/errors.hpp>
#include <string>
#include <system_error>
#include <utility>

#include "contract/handle_transfer.hpp"
#include "support/errors.hpp"
#include "support/wait.hpp"
#include "wire/handles.hpp"

namespace multiprocessing::detail {
namespace {

constexpr const char* object = "the connection";

std::uint64_t next_identity() noexcept {
  // Sentinels count from 1: this half is ours.
  static std::atomic<std::uint64_t> last{std::uint64_t{1} << 63};
  return ++last;
}

[[noreturn]] void refuse(std::errc reason, const std::string& text) {
  throw OSError(std::make_error_code(reason), text);
}

/// After a send of which nothing went out: it was given up, or there was no room to keep its handles.
bool may_go_on(const platform::Error& error) noexcept {
  using platform::Condition;
  return error.condition == Condition::cancelled || error.condition == Condition::out_of_handles ||
         error.condition == Condition::out_of_processes;
}

[[noreturn]] void refuse_closed() { refuse(std::errc::bad_file_descriptor, "the connection is closed"); }

}  // namespace

ArrivedMessage::~ArrivedMessage() {
  for (const auto handle : handles_)
    if (handle != platform::no_handle) platform::close_handle(handle);
}

ConnectionState::ConnectionState(platform::Channel channel, bool readable, bool writable, Peer peer,
                                 std::optional<runtime::SealKeys> keys, std::string address)
    : readable_(readable),
      writable_(writable),
      peer_(peer),
      address_(std::move(address)),
      identity_(next_identity()),
      channel_(std::make_shared<platform::Channel>(std::move(channel))) {
  if (keys) seal_.emplace(*keys);
}

std::shared_ptr<platform::Channel> ConnectionState::channel() const {
  const std::scoped_lock lock(mutex_);
  if (channel_ == nullptr) refuse_closed();
  return channel_;
}

bool ConnectionState::closed() const noexcept {
  const std::scoped_lock lock(mutex_);
  return channel_ == nullptr;
}

void ConnectionState::close() noexcept {
  std::shared_ptr<platform::Channel> last;  // closed outside of the lock
  const std::scoped_lock lock(mutex_);
  last.swap(channel_);
}

void ConnectionState::break_sending() noexcept {
  sending_broken_ = true;
  close();
}

void ConnectionState::break_receiving() noexcept {
  receiving_broken_ = true;
  close();
}

void ConnectionState::share_stream() noexcept {
  auto known = Peer::ours;
  peer_.compare_exchange_strong(known, Peer::shared);
}

std::shared_ptr<platform::Channel> ConnectionState::channel_to_read() const {
  auto open = channel();
  if (!readable_) refuse(std::errc::bad_file_descriptor, "the connection is write-only");
  return open;
}

platform::Status ConnectionState::put(platform::Channel& channel, std::span<const std::byte> body,
                                      std::span<const std::intptr_t> handles, const platform::Wakeup* wakeup,
                                      bool& begun) {
  if (!seal_) return runtime::send_message(channel, body, handles, wakeup, begun);
  const auto sent = runtime::send_message(channel, seal_->close(body), handles, wakeup, begun);
  if (sent) seal_->count_sent();
  return sent;
}

void ConnectionState::break_seal(std::vector<std::byte>& body) {
  if (!seal_ || seal_->open(body)) return;
  refuse_to_read("a message came that is not the peer's");
}

void ConnectionState::refuse_to_read(const char* what_came) {
  break_receiving();
  const std::string from = address_.empty() ? std::string() : " (" + address_ + ")";
  refuse(std::errc::bad_message, what_came + from + "; the connection is closed");
}

void ConnectionState::send(std::span<const std::byte> body, std::span<const std::intptr_t> handles,
                           const StopToken& stop) {
  const auto open = channel();
  if (!writable_) refuse(std::errc::bad_file_descriptor, "the connection is read-only");
  if (handles.size() > runtime::most_handles)
    throw SerializationError("a message holds " + std::to_string(handles.size()) +
                             " handles, and no more than " + std::to_string(runtime::most_handles) +
                             " can travel");
  if (!handles.empty() && (peer_ != Peer::ours || !platform::carries_handles(*open)))
    refuse(std::errc::not_supported,
           "handles, such as those of a connection, do not travel over this connection");
  const runtime::StopWakeup wakeup(stop);
  const runtime::Turn::Holder turn(sending_, stop);
  if (peer_gone_) runtime::throw_os_error(*peer_gone_, object);
  if (sending_broken_) refuse_closed();
  bool begun = false;
  platform::Status sent;
  try {
    sent = put(*open, body, handles, wakeup.get(), begun);
  } catch (...) {  // no memory
    if (begun) break_sending();
    throw;
  }
  if (sent) return;
  // What the peer had sent before it went can still be received.
  if (sent.error().condition == platform::Condition::broken) peer_gone_ = sent.error();
  // The peer may have half a message; unless nothing had gone out yet.
  else if (begun || !may_go_on(sent.error()))
    break_sending();
  runtime::throw_os_error(sent.error(), object);
}

const char* ConnectionState::how_it_ended(const platform::Channel& channel) const noexcept {
  if (reader_.in_message()) return "the other end of the connection closed it in the middle of a message";
  if (channel.was_reset())
    return "the other end of the connection closed it without having read all that was sent to it; what "
           "it sent itself may be lost";
  return "the other end of the connection is closed, and all that came from it was received";
}

void ConnectionState::fail_to_receive(const platform::Channel& channel, const platform::Error& error) {
  using platform::Condition;
  if (error.condition == Condition::broken) throw EOFError(how_it_ended(channel));
  if (error.condition == Condition::cancelled) runtime::throw_os_error(error, object);
  if (error.condition == Condition::out_of_handles)
    throw OSError(error.code(),
                  "there is no room for the handles of a message, which is gone; the connection goes on");
  if (error.condition == Condition::corrupt) refuse_to_read("the peer sent what is no message");
  break_receiving();
  runtime::throw_os_error(error, object);
}

std::uint64_t ConnectionState::next_size(platform::Channel& channel, const platform::Wakeup* wakeup) {
  const auto size = reader_.wait_for_header(channel, platform::Deadline::never(), wakeup);
  if (!size) fail_to_receive(channel, size.error());
  if (reader_.brings_handles() && (peer_ == Peer::stranger || !platform::carries_handles(channel)))
    fail_to_receive(channel, {platform::Condition::corrupt});
  return *size;
}

ArrivedMessage ConnectionState::receive(std::optional<std::size_t> maxlength, const StopToken& stop) {
  const auto open = channel_to_read();
  const runtime::StopWakeup wakeup(stop);
  const runtime::Turn::Holder turn(receiving_, stop);
  if (receiving_broken_) refuse_closed();
  const auto size = next_size(*open, wakeup.get());
  const std::size_t overhead = seal_ ? runtime::Seal::size : 0;
  if (maxlength && size > overhead && size - overhead > *maxlength) {
    break_receiving();
    refuse(std::errc::message_size, "a message of " + std::to_string(size - overhead) + " bytes came where " +
                                        std::to_string(*maxlength) +
                                        " are allowed; the connection is closed");
  }
  auto message = reader_.take(*open, platform::Deadline::never(), wakeup.get());
  if (!message) fail_to_receive(*open, message.error());
  break_seal(message->body);
  std::vector<std::intptr_t> handles;
  handles.reserve(message->handles.size());
  for (auto& handle : message->handles) handles.push_back(handle.release());
  return {std::move(message->body), std::move(handles)};
}

std::size_t ConnectionState::receive_into(std::span<std::byte> buffer, const StopToken& stop) {
  const auto open = channel_to_read();
  const runtime::StopWakeup wakeup(stop);
  const runtime::Turn::Holder turn(receiving_, stop);
  if (receiving_broken_) refuse_closed();
  const auto size = next_size(*open, wakeup.get());
  if (!seal_ && size <= buffer.size() && !reader_.brings_handles()) {
    const auto taken = reader_.take_into(*open, buffer, platform::Deadline::never(), wakeup.get());
    if (!taken) fail_to_receive(*open, taken.error());
    return static_cast<std::size_t>(size);
  }
  auto message = reader_.take(*open, platform::Deadline::never(), wakeup.get());
  if (!message) fail_to_receive(*open, message.error());
  break_seal(message->body);
  const std::size_t length = message->body.size();
  if (length > buffer.size())
    throw BufferTooShort("a message of " + std::to_string(length) + " bytes came, the buffer has " +
                             std::to_string(buffer.size()),
                         std::move(message->body));
  std::ranges::copy(message->body, buffer.begin());
  return length;
}

bool ConnectionState::poll(platform::Deadline deadline, const StopToken& stop) {
  const auto open = channel_to_read();
  return runtime::wait_for_handle(open->readable(), deadline, stop);
}

}  // namespace multiprocessing::detail
