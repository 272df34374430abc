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

/// A call in progress on an open stream.
class Use {
 public:
  /// Throws ValueError.
  Use(const std::unique_ptr<detail::StreamState>& state, bool to_write) : state_(state.get()) {
    const std::scoped_lock lock(runtime::registry_mutex());
    if (state_ != nullptr && state_->writes != to_write)
      throw ValueError(to_write ? "the child writes to this stream; read from it"
                                : "the child reads from this stream; write to it");
    if (state_ == nullptr || state_->let_go || (!state_->channel && !state_->abandoned))
      throw ValueError("the stream is closed");
    ++state_->users;
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() {
    const std::scoped_lock lock(runtime::registry_mutex());
    if (--state_->users == 0 && state_->let_go) state_->channel.close();
  }

  /// Null at the end of the program.
  [[nodiscard]] platform::Channel* channel() const noexcept {
    return state_->channel ? &state_->channel : nullptr;
  }

 private:
  detail::StreamState* state_;
};

std::size_t read_some_of(const Use& use, std::span<std::byte> buffer, const StopToken& stop) {
  if (use.channel() == nullptr) return 0;
  const runtime::StopWakeup wakeup(stop);
  return runtime::value_or_throw(use.channel()->read_some(buffer, platform::Deadline::never(), wakeup.get()),
                                 "a child's output");
}

}  // namespace

ByteStream::ByteStream(std::unique_ptr<detail::StreamState> state) noexcept : state_(std::move(state)) {}
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;
ByteStream::~ByteStream() = default;

std::size_t ByteStream::read_some(std::span<std::byte> buffer, StopToken stop) {
  const Use use(state_, false);
  if (buffer.empty()) throw ValueError("read_some(): the buffer is empty");
  return read_some_of(use, buffer, stop);
}

std::vector<std::byte> ByteStream::read_all(StopToken stop) {
  constexpr std::size_t at_once = 64 * 1024;
  const Use use(state_, false);  // one for all of it: what is closed meanwhile is read to its end
  std::vector<std::byte> all;
  for (;;) {
    const std::size_t size = all.size();
    all.resize(size + at_once);
    const std::size_t count = read_some_of(use, std::span(all).subspan(size), stop);
    all.resize(size + count);
    if (count == 0) return all;
  }
}

void ByteStream::write(ByteView bytes, StopToken stop) {
  const Use use(state_, true);
  if (use.channel() == nullptr)
    throw ConnectionError(std::make_error_code(std::errc::broken_pipe), "a child's input");
  const runtime::StopWakeup wakeup(stop);
  runtime::value_or_throw(use.channel()->write_all(bytes.span(), platform::Deadline::never(), wakeup.get()),
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
