// A channel that is no socket (socket_channel.cpp) is one end of a duplex named pipe in byte mode (pipe.cpp),
// opened for overlapped input and output.
//
// readable() is the event of a pending read of zero bytes, the *probe*: it completes when there is something
// to read or the peer is gone, and takes nothing, so that a channel whose handle was sent away never eats the
// bytes of its new owner. PeekNamedPipe then says what there is. The probe is made when first asked for, and
// again whenever it has completed and nothing is left to read.
//
// The system cancels what a thread has pending when the thread ends, unless the pipe is bound to a completion
// port. So it is bound to one that nobody looks at, and the low bit of every event keeps packets out of it.
// A probe that was cancelled all the same is made again; its waiter wakes once and finds nothing.
#include "contract/channel.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include "channel_state.hpp"
#include "contract/fault.hpp"
#include "pipe.hpp"
#include "socket.hpp"

namespace multiprocessing::platform {

using namespace win32;

namespace {

/// The largest single write: the system keeps the pages of a pending one in memory.
constexpr std::size_t longest_write = std::size_t{1} << 20U;

class PipeState final : public Channel::State {
 public:
  /// The pipe is taken only if all succeeds.
  static Result<std::unique_ptr<Channel::State>> create(Handle& pipe) {
    auto readable = make_event();
    auto read_done = make_event();
    auto write_done = make_event();
    if (!readable) return readable.error();
    if (!read_done) return read_done.error();
    if (!write_done) return write_done.error();
    if (auto status = can_outlive_threads(); !status) return status.error();
    auto state = std::make_unique<PipeState>();
    state->readable_ = std::move(*readable);
    state->read_done_ = std::move(*read_done);
    state->write_done_ = std::move(*write_done);
    state->pipe_ = std::move(pipe);
    return std::unique_ptr<Channel::State>(std::move(state));
  }
  ~PipeState() override {
    if (probe_ == Probe::pending) give_up(pipe_.get(), probe_operation_, readable_);
  }

  [[nodiscard]] RawHandle handle() const noexcept override { return pipe_.get(); }

  [[nodiscard]] RawHandle watch() noexcept override {
    const std::lock_guard lock(mutex_);
    watched_ = true;
    if (probe_ == Probe::none)
      start_probe();
    else
      refresh_probe();  // another owner of the pipe may have taken what came
    return readable_.get();
  }

  Result<std::size_t> read_now(std::span<std::byte> buffer) noexcept override {
    const std::lock_guard lock(mutex_);
    DWORD available = 0;
    if (!PeekNamedPipe(native(pipe_), nullptr, 0, nullptr, &available, nullptr))
      return end_of_stream("PeekNamedPipe");
    if (available == 0) {
      refresh_probe();
      return Error{Condition::would_block, 0, "ReadFile"};
    }
    const auto count = read_available(buffer.first(std::min<std::size_t>(buffer.size(), available)));
    refresh_probe();
    return count;
  }

  Status wait_readable(Deadline deadline, const Wakeup* wakeup) noexcept override {
    {
      const std::lock_guard lock(mutex_);
      if (probe_completed() && probe_ != Probe::ended) start_probe();
    }
    return wait_for_event(readable_, deadline, wakeup);
  }

  Status write(std::span<const std::byte> bytes, Deadline deadline, const Wakeup* wakeup,
               bool& begun) noexcept override {
    OVERLAPPED operation = {};
    operation.hEvent = unported(write_done_);
    if (WriteFile(native(pipe_), bytes.data(), static_cast<DWORD>(bytes.size()), nullptr, &operation)) {
      begun = true;
    } else {
      if (GetLastError() != ERROR_IO_PENDING) return last_error("WriteFile");
      begun = true;
      if (const auto waited = wait_for_event(write_done_, deadline, wakeup); !waited) {
        if (!cancel_write(operation)) return waited.error();
      }
    }
    DWORD written = 0;
    if (!GetOverlappedResult(native(pipe_), &operation, &written, TRUE)) return last_error("WriteFile");
    if (written < bytes.size()) return Error{Condition::broken, 0, "WriteFile"};
    return {};
  }

 private:
  enum class Probe : unsigned char { none, pending, completed, ended };

  void start_probe() noexcept {
    if (!bound_) outlive_threads(pipe_.get());
    bound_ = true;
    probe_operation_ = {};
    probe_operation_.hEvent = unported(readable_);
    if (ReadFile(native(pipe_), &nothing_, 0, nullptr, &probe_operation_)) {
      probe_ = Probe::completed;
    } else if (GetLastError() == ERROR_IO_PENDING) {
      probe_ = Probe::pending;
    } else {
      probe_ = Probe::ended;
      SetEvent(native(readable_));
    }
  }

  /// Whether there is none that could still complete.
  bool probe_completed() noexcept {
    if (probe_ == Probe::pending && is_over(probe_operation_, readable_)) probe_ = Probe::completed;
    return probe_ != Probe::pending;
  }

  /// After a look or a read: what has completed and is wanted is made again if nothing is left.
  void refresh_probe() noexcept {
    if (!probe_completed() || probe_ != Probe::completed) return;
    DWORD available = 0;
    if (!watched_) {
      probe_ = Probe::none;
    } else if (!PeekNamedPipe(native(pipe_), nullptr, 0, nullptr, &available, nullptr) || available == 0) {
      start_probe();
    }
  }

  Result<std::size_t> read_available(std::span<std::byte> buffer) noexcept {
    OVERLAPPED operation = {};
    operation.hEvent = unported(read_done_);
    const bool done =
        ReadFile(native(pipe_), buffer.data(), static_cast<DWORD>(buffer.size()), nullptr, &operation);
    if (!done && GetLastError() != ERROR_IO_PENDING) return end_of_stream("ReadFile");
    DWORD count = 0;
    if (!GetOverlappedResult(native(pipe_), &operation, &count, TRUE)) return end_of_stream("ReadFile");
    return std::size_t{count};
  }

  /// The last error as the answer of a read: 0 if it says that the peer is gone.
  Result<std::size_t> end_of_stream(const char* call) noexcept {
    const Error error = last_error(call);
    if (error.condition != Condition::broken) return error;
    if (probe_completed()) probe_ = Probe::ended;
    SetEvent(native(readable_));
    return std::size_t{0};
  }

  /// When it returns the write is over. True if it had succeeded.
  bool cancel_write(OVERLAPPED& operation) noexcept {
    CancelIoEx(native(pipe_), &operation);
    DWORD count = 0;
    return GetOverlappedResult(native(pipe_), &operation, &count, TRUE) != FALSE;
  }

  std::mutex mutex_;  // reader's side: readable() may be called while another thread reads
  Handle pipe_;
  Handle readable_;
  Handle read_done_;
  Handle write_done_;
  OVERLAPPED probe_operation_ = {};
  Probe probe_ = Probe::none;
  bool watched_ = false;
  bool bound_ = false;
  char nothing_ = 0;
};

}  // namespace

Channel::Channel() noexcept = default;
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&&) noexcept = default;
Channel::~Channel() = default;
Channel::Channel(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

Channel::operator bool() const noexcept { return state_ != nullptr; }
RawHandle Channel::get() const noexcept { return state_ ? state_->handle() : no_handle; }
RawHandle Channel::readable() const noexcept { return state_ ? state_->watch() : no_handle; }
void Channel::close() noexcept { state_.reset(); }

Result<Channel> Channel::adopt(Handle handle) {
  if (const auto fault = fault_point(Call::channel_adopt)) return *fault;
  if (!is_kernel_handle(handle.get()) || !is_overlapped_pipe(handle.get())) return mistake("Channel::adopt");
  auto state = PipeState::create(handle);
  if (!state) return state.error();
  return Channel(std::move(*state));
}

StreamUse possible_use(RawHandle handle) noexcept {
  return is_socket(handle) ? StreamUse{} : access_to_pipe(handle);
}

Result<Channel> Channel::adopt_stream(Handle handle, StreamUse use) {
  auto socket = take_socket(handle);
  if (!socket) return socket.error();
  if (!*socket) {
    const StreamUse possible = access_to_pipe(handle.get());
    if ((!use.reading || possible.reading) && (!use.writing || possible.writing))
      return adopt(std::move(handle));
    if (const auto fault = fault_point(Call::channel_adopt)) return *fault;
    return mistake("Channel::adopt_stream");
  }
  if (const auto fault = fault_point(Call::channel_adopt)) return *fault;
  return make_socket_channel(*socket);
}

Result<Channel> Channel::adopt_inherited(RawHandle handle, int creator_pid) {
  if (const auto fault = fault_point(Call::channel_adopt)) return *fault;
  const auto refused = mistake("Channel::adopt_inherited");
  DWORD flags = 0;
  if (!is_kernel_handle(handle) || !GetHandleInformation(native(handle), &flags)) return refused;
  for (const DWORD stream : {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE}) {
    if (raw(GetStdHandle(stream)) == handle) return refused;
  }
  if (!is_overlapped_pipe(handle) || !was_made_by(handle, static_cast<DWORD>(creator_pid))) return refused;
  Handle pipe(handle);
  auto state = PipeState::create(pipe);
  if (!state) {
    (void)pipe.release();
    return state.error();
  }
  SetHandleInformation(native(handle), HANDLE_FLAG_INHERIT, 0);
  return Channel(std::move(*state));
}

Result<std::size_t> Channel::read_some(std::span<std::byte> buffer) noexcept {
  if (const auto fault = fault_point(Call::channel_read)) return *fault;
  if (!state_ || buffer.empty()) return mistake("Channel::read_some");
  return state_->read_now(buffer.first(fault_cut(Call::channel_read, buffer.size())));
}

Result<std::size_t> Channel::read_some(std::span<std::byte> buffer, Deadline deadline, const Wakeup* wakeup,
                                       Look* look) noexcept {
  for (;;) {
    auto count = read_some(buffer);
    if (count || count.error().condition != Condition::would_block) return count;
    if (look != nullptr && look->at_most > look->at_most.zero()) {
      const auto place = buffer.first(fault_cut(Call::channel_read, buffer.size()));
      count = look_again(*std::exchange(look, nullptr), deadline, [&] { return state_->read_now(place); });
      if (count || count.error().condition != Condition::would_block) return count;
    }
    if (const auto waited = state_->wait_readable(deadline, wakeup); !waited) return waited.error();
  }
}

Status Channel::read_all(std::span<std::byte> buffer, Deadline deadline, const Wakeup* wakeup) noexcept {
  while (!buffer.empty()) {
    const auto count = read_some(buffer, deadline, wakeup);
    if (!count) return count.error();
    if (*count == 0) return Error{Condition::broken, 0, "Channel::read_all"};
    buffer = buffer.subspan(*count);
  }
  return {};
}

Status Channel::write_all(std::span<const std::byte> bytes, Deadline deadline, const Wakeup* wakeup,
                          bool* begun) noexcept {
  return write_both(bytes, {}, deadline, wakeup, begun);
}

Status Channel::write_both(std::span<const std::byte> head, std::span<const std::byte> body,
                           Deadline deadline, const Wakeup* wakeup, bool* begun) noexcept {
  if (const auto fault = fault_point(Call::channel_write)) return *fault;
  if (!state_) return mistake("Channel::write_both");
  bool nobody_asks = false;
  bool& has_begun = begun != nullptr ? *begun : nobody_asks;
  const bool breaks = fault_break(head, body);
  for (auto bytes = head; !bytes.empty() || !body.empty();) {
    if (bytes.empty()) bytes = std::exchange(body, {});
    const auto size = fault_cut(Call::channel_write, std::min(bytes.size(), longest_write));
    if (auto status = state_->write(bytes.first(size), deadline, wakeup, has_begun); !status) return status;
    bytes = bytes.subspan(size);
  }
  if (breaks) return Error{Condition::broken, ERROR_BROKEN_PIPE, "WriteFile"};
  return {};
}

Status Channel::finish_writing() noexcept {
  if (const auto fault = fault_point(Call::channel_finish_writing)) return *fault;
  return Error{Condition::not_supported, 0, "Channel::finish_writing"};
}

bool Channel::left_unread() const noexcept { return false; }
bool Channel::was_reset() const noexcept { return false; }

Result<std::pair<Channel, Channel>> channel_pair() {
  if (const auto fault = fault_point(Call::channel_pair)) return *fault;
  auto ends = make_pipe({});
  if (!ends) return ends.error();
  auto first = Channel::adopt(std::move(ends->server));
  if (!first) return first.error();
  auto second = Channel::adopt(std::move(ends->client));
  if (!second) return second.error();
  return std::pair(std::move(*first), std::move(*second));
}

Result<StreamPipe> stream_pipe(Direction direction) {
  if (const auto fault = fault_point(Call::stream_pipe)) return *fault;
  // Attributes beside the data, because a child's runtime asks for the kind of its streams.
  constexpr PipeShape read_by_child = {PIPE_ACCESS_OUTBOUND, GENERIC_READ | FILE_WRITE_ATTRIBUTES, 0};
  constexpr PipeShape written_by_child = {PIPE_ACCESS_INBOUND, GENERIC_WRITE | FILE_READ_ATTRIBUTES, 0};
  auto ends = make_pipe(direction == Direction::child_reads ? read_by_child : written_by_child);
  if (!ends) return ends.error();
  auto parent = Channel::adopt(std::move(ends->server));
  if (!parent) return parent.error();
  return StreamPipe{std::move(*parent), std::move(ends->client)};
}

}  // namespace multiprocessing::platform
