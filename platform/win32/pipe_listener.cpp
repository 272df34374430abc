// Named pipes that others open by their name: this user alone, from this machine alone, and the server may
// only identify who opened. There is always one instance that waits for a client, with a ConnectNamedPipe
// pending; whoever comes while it is taken finds the pipe busy and asks again.
#include <array>
#include <chrono>
#include <mutex>
#include <string>
#include <utility>

#include "contract/capabilities.hpp"
#include "listener.hpp"
#include "pipe.hpp"
#include "waiting.hpp"

namespace multiprocessing::platform::win32 {
namespace {

constexpr std::size_t longest_name = 256;
// Nothing that can be waited for together with a wakeup tells when a pipe is not busy any more.
constexpr std::chrono::milliseconds between_tries{5};

Result<std::wstring> name_of_pipe(const std::string& path) {
  auto name = widen(path);
  if (!name) return name.error();
  if (name->empty()) return mistake("named pipe");
  if (name->size() > longest_name) return error_of(ERROR_FILENAME_EXCED_RANGE, "named pipe");
  return name;
}

class PipeListener final : public Listener::State {
 public:
  PipeListener(std::wstring name, Handle event) : name_(std::move(name)), connected_(std::move(event)) {}
  ~PipeListener() override {
    if (instance_ && pending_) give_up(instance_.get(), operation_, connected_);
  }

  [[nodiscard]] RawHandle acceptable() const noexcept override { return connected_.get(); }

  /// Makes an instance and lets it wait. Errors: already_exists (it was to be the first).
  Status wait_for_next(bool first) {
    auto security = only_this_user();
    if (!security) return security.error();
    const DWORD flags =
        PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0);
    const HANDLE made =
        CreateNamedPipeW(name_.c_str(), flags, PIPE_TYPE_BYTE | PIPE_REJECT_REMOTE_CLIENTS,
                         PIPE_UNLIMITED_INSTANCES, pipe_buffer_size, pipe_buffer_size, 0, &*security);
    if (raw(made) == no_handle) {
      Error failure = last_error("CreateNamedPipeW");
      if (first && (failure.native == ERROR_ACCESS_DENIED || failure.native == ERROR_PIPE_BUSY))
        failure.condition = Condition::already_exists;
      return failure;
    }
    instance_.reset(raw(made));
    outlive_threads(instance_.get());
    return wait_for_client();
  }

  [[nodiscard]] Result<ConnectedStream> accept() override {
    if (!instance_) {  // making it failed the last time
      if (auto status = wait_for_next(false); !status) return status.error();
    }
    // What was given up instead of done is begun again: a client may have come all the same.
    while (pending_ && is_over(operation_, connected_) && !has_client()) {
      ResetEvent(native(connected_));
      if (auto status = wait_for_client(); !status) return status.error();
    }
    if (pending_ && !is_over(operation_, connected_))
      return Error{Condition::would_block, 0, "ConnectNamedPipe"};
    Handle client = std::move(instance_);
    ResetEvent(native(connected_));
    if (auto status = wait_for_next(false); !status) SetEvent(native(connected_));  // it is tried again
    ConnectedStream stream;
    auto channel = Channel::adopt_stream(std::move(client));
    if (!channel) return channel.error();
    stream.channel = *std::move(channel);
    stream.local = address;
    stream.peer = {Endpoint::Kind::pipe, {}, 0, {}};
    return stream;
  }

 private:
  /// Lets the instance wait.
  Status wait_for_client() {
    operation_ = {};
    operation_.hEvent = unported(connected_);
    pending_ = false;
    if (ConnectNamedPipe(native(instance_), &operation_)) return {};
    const Error failure = last_error("ConnectNamedPipe");
    pending_ = failure.native == ERROR_IO_PENDING;
    if (pending_) return {};
    // A client was faster; ERROR_NO_DATA: and has gone again, which its reader will see.
    SetEvent(native(connected_));
    if (failure.native == ERROR_PIPE_CONNECTED || failure.native == ERROR_NO_DATA) return {};
    instance_.reset();  // nobody is at its other end
    return failure;
  }

  /// Of an instance that waits no more: it may have been given up instead of found.
  [[nodiscard]] bool has_client() noexcept {
    DWORD nothing = 0;
    return GetOverlappedResult(native(instance_), &operation_, &nothing, FALSE) ||
           GetLastError() == ERROR_NO_DATA || GetLastError() == ERROR_PIPE_CONNECTED;
  }

  std::wstring name_;
  Handle connected_;
  Handle instance_;
  OVERLAPPED operation_ = {};
  bool pending_ = false;
};

/// Until the next try. Errors: timed_out, cancelled.
Status pause(Deadline deadline, const Wakeup* wakeup) noexcept {
  if (deadline.expired()) return Error{Condition::timed_out, 0, "CreateFileW"};
  const auto next = Deadline::after(between_tries);
  if (wakeup == nullptr) {
    Sleep(milliseconds(next < deadline ? next : deadline));
    return {};
  }
  const std::array handles = {native(wakeup->waitable())};
  const auto woken = wait_for_first(handles, next < deadline ? next : deadline);
  if (woken) return Error{Condition::cancelled, 0, "CreateFileW"};
  if (woken.error().condition != Condition::timed_out) return woken.error();
  return {};
}

/// CreateNamedPipeW says so too, and lets one of several pass; under wine it lets all of them. There only
/// those of one process are kept apart, by a lock.
bool is_taken(const std::wstring& name) noexcept {
  return WaitNamedPipeW(name.c_str(), 1) != FALSE || GetLastError() == ERROR_SEM_TIMEOUT;
}

}  // namespace

ListenerState listen_on_pipe(const Endpoint& endpoint) {
  auto name = name_of_pipe(endpoint.path);
  if (!name) return name.error();
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  if (is_taken(*name)) return Error{Condition::already_exists, ERROR_PIPE_BUSY, "CreateNamedPipeW"};
  if (auto status = can_outlive_threads(); !status) return status.error();
  auto event = make_event();
  if (!event) return event.error();
  auto listener = std::make_unique<PipeListener>(*std::move(name), *std::move(event));
  listener->address = endpoint;
  if (auto status = listener->wait_for_next(true); !status) return status.error();
  return std::unique_ptr<Listener::State>(std::move(listener));
}

Result<ConnectedStream> connect_to_pipe(const Endpoint& endpoint, Deadline deadline, const Wakeup* wakeup) {
  const auto name = name_of_pipe(endpoint.path);
  if (!name) return name.error();
  for (;;) {
    const HANDLE opened =
        CreateFileW(name->c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
                    FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, nullptr);
    if (raw(opened) != no_handle) {
      auto channel = Channel::adopt_stream(Handle(raw(opened)));
      if (!channel) return channel.error();
      return ConnectedStream{*std::move(channel), {Endpoint::Kind::pipe, {}, 0, {}}, endpoint};
    }
    const Error failure = last_error("CreateFileW");
    if (failure.native != ERROR_PIPE_BUSY) return failure;
    if (auto status = pause(deadline, wakeup); !status) return status.error();
  }
}

}  // namespace multiprocessing::platform::win32
