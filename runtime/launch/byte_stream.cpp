// ByteStream: the parent's end of a child's standard stream.
#include <multiprocessing/byte_stream.hpp>
#include <multiprocessing/errors.hpp>
#include <mutex>
#include <utility>

#include "launch/registry_mutex.hpp"
#include "launch/stream_state.hpp"
#include "support/errors.hpp"
#include "support/wait.hpp"

namespace multiprocessing {
namespace {

platform::Channel& usable(const std::unique_ptr<detail::StreamState>& state, bool to_write) {
  if (state == nullptr || !state->channel) throw ValueError("the stream is closed");
  if (state->writes != to_write)
    throw ValueError(to_write ? "the child writes to this stream; read from it"
                              : "the child reads from this stream; write to it");
  return state->channel;
}

}  // namespace

ByteStream::ByteStream(std::unique_ptr<detail::StreamState> state) noexcept : state_(std::move(state)) {}
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;
ByteStream::~ByteStream() = default;

std::size_t ByteStream::read_some(std::span<std::byte> buffer, StopToken stop) {
  auto& channel = usable(state_, false);
  if (buffer.empty()) throw ValueError("read_some(): the buffer is empty");
  const runtime::StopWakeup wakeup(stop);
  return runtime::value_or_throw(channel.read_some(buffer, platform::Deadline::never(), wakeup.get()),
                                 "a child's output");
}

std::vector<std::byte> ByteStream::read_all(StopToken stop) {
  constexpr std::size_t at_once = 64 * 1024;
  std::vector<std::byte> all;
  for (;;) {
    const std::size_t size = all.size();
    all.resize(size + at_once);
    const std::size_t count = read_some(std::span(all).subspan(size), stop);
    all.resize(size + count);
    if (count == 0) return all;
  }
}

void ByteStream::write(ByteView bytes, StopToken stop) {
  auto& channel = usable(state_, true);
  const runtime::StopWakeup wakeup(stop);
  runtime::value_or_throw(channel.write_all(bytes.span(), platform::Deadline::never(), wakeup.get()),
                          "a child's input");
}

void ByteStream::close() noexcept {
  if (!state_) return;
  const std::scoped_lock lock(runtime::registry_mutex());  // a fork shall not see the number and close it
  state_->channel.close();
}

NativeHandle ByteStream::native() const {
  if (state_ == nullptr || !state_->channel) throw ValueError("the stream is closed");
  return {(NativeHandle::native_type)state_->channel.get()};
}

}  // namespace multiprocessing
