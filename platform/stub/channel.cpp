// Channels that cannot be made.
#include "contract/channel.hpp"

#include "contract/fault.hpp"
#include "not_supported.hpp"

namespace multiprocessing::platform {

class Channel::State {};

Channel::Channel() noexcept = default;
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&&) noexcept = default;
Channel::~Channel() = default;
Channel::Channel(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

StreamUse possible_use(RawHandle) noexcept { return {false, false}; }

Result<Channel> Channel::adopt(Handle) {
  if (const auto fault = fault_point(Call::channel_adopt)) return *fault;
  return not_supported("Channel::adopt");
}

Result<Channel> Channel::adopt_stream(Handle, StreamUse) {
  if (const auto fault = fault_point(Call::channel_adopt)) return *fault;
  return not_supported("Channel::adopt_stream");
}

Result<Channel> Channel::adopt_inherited(RawHandle, int) {
  if (const auto fault = fault_point(Call::channel_adopt)) return *fault;
  return not_supported("Channel::adopt_inherited");
}

Channel::operator bool() const noexcept { return state_ != nullptr; }
RawHandle Channel::get() const noexcept { return no_handle; }

Result<std::size_t> Channel::read_some(std::span<std::byte>) noexcept {
  if (const auto fault = fault_point(Call::channel_read)) return *fault;
  return not_supported("Channel::read_some");
}

Result<std::size_t> Channel::read_some(std::span<std::byte> buffer, Deadline, const Wakeup*, Look*) noexcept {
  return read_some(buffer);
}

Status Channel::read_all(std::span<std::byte> buffer, Deadline, const Wakeup*) noexcept {
  return read_some(buffer).error();
}

Status Channel::write_all(std::span<const std::byte>, Deadline, const Wakeup*, bool*) noexcept {
  if (const auto fault = fault_point(Call::channel_write)) return *fault;
  return not_supported("Channel::write_all");
}

Status Channel::write_both(std::span<const std::byte> head, std::span<const std::byte>, Deadline deadline,
                           const Wakeup* wakeup, bool* begun) noexcept {
  return write_all(head, deadline, wakeup, begun);
}

RawHandle Channel::readable() const noexcept { return no_handle; }

Status Channel::finish_writing() noexcept {
  if (const auto fault = fault_point(Call::channel_finish_writing)) return *fault;
  return not_supported("Channel::finish_writing");
}

bool Channel::left_unread() const noexcept { return false; }
bool Channel::was_reset() const noexcept { return false; }

void Channel::close() noexcept { state_.reset(); }

Result<std::pair<Channel, Channel>> channel_pair() {
  if (const auto fault = fault_point(Call::channel_pair)) return *fault;
  return not_supported("channel_pair");
}

Result<StreamPipe> stream_pipe(Direction) {
  if (const auto fault = fault_point(Call::stream_pipe)) return *fault;
  return not_supported("stream_pipe");
}

}  // namespace multiprocessing::platform
