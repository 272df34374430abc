// Handles travel as a message {magic, count, sender's identity, values}. The sender makes duplicates in its
// own process; the receiver opens that process, checks that it is the one that was meant, and moves the
// duplicates over: DUPLICATE_CLOSE_SOURCE closes the sender's in the same call. What is never pulled closes
// with its sender. A message that could not be sent whole is never acted upon, so then the sender may close
// its duplicates.
#include "contract/handle_transfer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "contract/fault.hpp"
#include "contract/process.hpp"
#include "pipe.hpp"
#include "socket.hpp"
#include "win32.hpp"

namespace multiprocessing::platform {

using namespace win32;

namespace {

/// Begins with a byte that no text in UTF-8 holds, so that other bytes at this place are noticed at once.
constexpr std::array<std::byte, 4> transfer_magic = {std::byte{0xF5}, std::byte{'m'}, std::byte{'p'},
                                                     std::byte{'h'}};

struct Header {
  std::array<std::byte, 4> magic = transfer_magic;
  std::uint32_t count = 0;
  std::uint64_t pid = 0;
  std::uint64_t start_time = 0;
};
static_assert(sizeof(Header) == 24);

using Values = std::array<std::uint64_t, handles_per_transfer>;

Error no_handles_here() noexcept { return {Condition::corrupt, 0, "receive_handles"}; }

Result<Header> read_header(Channel& channel, Deadline deadline) {
  Header header;
  const auto bytes = std::as_writable_bytes(std::span(&header, 1));
  if (auto status = channel.read_all(bytes.first(1), deadline); !status) return status.error();
  if (bytes[0] != transfer_magic[0]) return no_handles_here();
  if (auto status = channel.read_all(bytes.subspan(1), deadline); !status) return status.error();
  if (header.magic != transfer_magic || header.count == 0 || header.count > handles_per_transfer)
    return no_handles_here();
  return header;
}

/// The process that sent them, if it is still there and the one that was meant.
Result<Handle> open_sender(const Header& header) {
  const HANDLE opened = OpenProcess(PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE,
                                    static_cast<DWORD>(header.pid));
  if (opened == nullptr && GetLastError() == ERROR_INVALID_PARAMETER) {
    return Error{Condition::broken, ERROR_INVALID_PARAMETER, "OpenProcess"};
  }
  if (opened == nullptr) return last_error("OpenProcess");
  Handle sender(raw(opened));
  if (!is_alive({static_cast<int>(header.pid), header.start_time}))
    return Error{Condition::broken, 0, "receive_handles"};
  return sender;
}

Result<Handle> pull(const Handle& sender, std::uint64_t value) {
  const auto source = static_cast<RawHandle>(value);
  if (!is_kernel_handle(source)) return no_handles_here();
  HANDLE pulled = nullptr;
  if (!DuplicateHandle(native(sender), native(source), GetCurrentProcess(), &pulled, 0, FALSE,
                       DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE)) {
    return last_error("DuplicateHandle");
  }
  return Handle(raw(pulled));
}

/// Pulls all of them even if one fails, so that none stays open at the sender.
Result<std::vector<Handle>> pull_all(const Handle& sender, std::span<const std::uint64_t> values) {
  std::vector<Handle> handles;
  std::optional<Error> failure;
  for (const std::uint64_t value : values) {
    auto handle = pull(sender, value);
    if (handle) {
      handles.push_back(std::move(*handle));
    } else {
      failure = handle.error();
    }
  }
  if (failure) return *failure;
  return handles;
}

/// Before any duplicate is made: it would take the number of one that is closed.
bool all_open(std::span<const RawHandle> handles) noexcept {
  return std::all_of(handles.begin(), handles.end(), [](RawHandle handle) {
    DWORD flags = 0;
    return is_kernel_handle(handle) && GetHandleInformation(native(handle), &flags);
  });
}

}  // namespace

// WSAEventSelect of one handle takes the events of every other handle to the socket.
bool can_be_passed_on(const Channel& channel) noexcept { return !is_socket(channel.get()); }

bool carries_handles(const Channel& channel) noexcept {
  return !is_socket(channel.get()) && is_overlapped_pipe(channel.get());
}

Status send_handles(Channel& channel, std::span<const RawHandle> handles, Deadline deadline) {
  if (const auto fault = fault_point(Call::send_handles)) return *fault;
  if (handles.empty() || handles.size() > handles_per_transfer || !all_open(handles))
    return mistake("send_handles");
  const ProcessIdentity self = current_identity();
  Header header;
  header.count = static_cast<std::uint32_t>(handles.size());
  header.pid = static_cast<std::uint64_t>(self.pid);
  header.start_time = self.start_time;
  std::vector<Handle> copies;
  Values values = {};
  for (const RawHandle handle : handles) {
    const auto copy = duplicate_handle(handle);
    if (!copy) return copy.error();
    values[copies.size()] = static_cast<std::uint64_t>(*copy);
    copies.emplace_back(*copy);
  }
  std::array<std::byte, sizeof(Header) + sizeof(Values)> message;
  std::memcpy(message.data(), &header, sizeof(header));
  std::memcpy(message.data() + sizeof(header), values.data(), sizeof(values));
  const std::size_t size = sizeof(header) + handles.size() * sizeof(values[0]);
  if (auto status = channel.write_all(std::span(message).first(size), deadline); !status) return status;
  for (Handle& copy : copies) (void)copy.release();  // the receiver's now
  return {};
}

Result<std::vector<Handle>> receive_handles(Channel& channel, std::size_t count, Deadline deadline) {
  const auto fault = fault_point(Call::receive_handles);
  if (count == 0 || count > handles_per_transfer) return mistake("receive_handles");
  const auto header = read_header(channel, deadline);
  if (!header) return header.error();
  Values buffer = {};
  const auto values = std::span(buffer).first(header->count);
  if (auto status = channel.read_all(std::as_writable_bytes(values), deadline); !status)
    return status.error();
  const auto sender = open_sender(*header);
  if (!sender) return sender.error();
  auto handles = pull_all(*sender, values);
  if (fault) return *fault;  // the message has come, and what it brought is closed
  if (handles && handles->size() != count) return no_handles_here();
  return handles;
}

}  // namespace multiprocessing::platform
