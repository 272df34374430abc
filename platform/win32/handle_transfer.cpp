// Handles travel as a message {magic, count, sender's identity, values}. The sender makes duplicates in its
// own process; the receiver opens that process, checks that it is the one that was meant, and moves the
// duplicates over: DUPLICATE_CLOSE_SOURCE closes the sender's in the same call. What is never pulled closes
// with its sender. A message that could not be sent whole is never acted upon, so then the sender may close
// its duplicates. A parent makes them in its child instead, with which they close, and names no sender: who
// is not the parent could name any handle of the receiver's.
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

/// What is named instead of a sender where the duplicates are the receiver's already.
constexpr std::uint64_t given = 0;

struct Transfer {
  Header header;
  std::array<std::uint64_t, handles_per_transfer> places = {};
  [[nodiscard]] std::span<std::uint64_t> values() noexcept { return std::span(places).first(header.count); }
};

Error no_handles_here() noexcept { return {Condition::corrupt, 0, "receive_handles"}; }

/// Its bytes come in one piece: who gives up half-way was lied to.
Result<Transfer> read_transfer(Channel& channel, Deadline deadline, const Wakeup* wakeup) {
  Transfer transfer;
  auto& header = transfer.header;
  const auto bytes = std::as_writable_bytes(std::span(&header, 1));
  if (auto status = channel.read_all(bytes.first(1), deadline, wakeup); !status) return status.error();
  if (bytes[0] != transfer_magic[0]) return no_handles_here();
  const auto rest = [&](std::span<std::byte> place) -> Status {
    const auto status = channel.read_all(place, deadline, wakeup);
    if (!status && status.error().condition == Condition::cancelled) return no_handles_here();
    return status;
  };
  if (auto status = rest(bytes.subspan(1)); !status) return status.error();
  if (header.magic != transfer_magic || header.count == 0 || header.count > handles_per_transfer)
    return no_handles_here();
  if (auto status = rest(std::as_writable_bytes(transfer.values())); !status) return status.error();
  return transfer;
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
Result<std::vector<Handle>> pull_all(const Header& header, std::span<const std::uint64_t> values) {
  const auto opened = open_sender(header);
  if (!opened) return opened.error();
  const Handle& sender = *opened;
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

/// Those that the parent made here.
Result<std::vector<Handle>> adopt_all(std::span<const std::uint64_t> values) {
  std::vector<Handle> handles;
  for (const std::uint64_t value : values) {
    const auto handle = static_cast<RawHandle>(value);
    DWORD flags = 0;
    if (!is_kernel_handle(handle) || !GetHandleInformation(native(handle), &flags)) return no_handles_here();
    handles.emplace_back(handle);
  }
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

bool carries_handles(const Channel& channel) noexcept {
  if (is_socket(channel.get()) || !is_overlapped_pipe(channel.get())) return false;
  return peer_of_pipe(channel.get()) != nobody;
}

namespace {

Result<Transfer> plan_transfer(std::span<const RawHandle> handles) {
  if (handles.empty() || handles.size() > handles_per_transfer || !all_open(handles))
    return mistake("send_handles");
  const ProcessIdentity self = current_identity();
  Transfer transfer;
  transfer.header.count = static_cast<std::uint32_t>(handles.size());
  transfer.header.pid = static_cast<std::uint64_t>(self.pid);
  transfer.header.start_time = self.start_time;
  return transfer;
}

Status write_transfer(Channel& channel, Transfer& transfer, Deadline deadline, const Wakeup* wakeup) {
  std::array<std::byte, sizeof(Header) + sizeof(transfer.places)> message;
  const auto values = std::as_bytes(transfer.values());
  std::memcpy(message.data(), &transfer.header, sizeof(Header));
  std::memcpy(message.data() + sizeof(Header), values.data(), values.size());
  return channel.write_all(std::span(message).first(sizeof(Header) + values.size()), deadline, wakeup);
}

/// The failure of a call on the handles of a process that may have ended.
Error failure_at(RawHandle process) noexcept {
  const Error failure = last_error("DuplicateHandle");
  if (WaitForSingleObject(native(process), 0) == WAIT_OBJECT_0)
    return Error{Condition::broken, failure.native, "DuplicateHandle"};
  return failure;
}

}  // namespace

Status send_handles(Channel& channel, std::span<const RawHandle> handles, Deadline deadline,
                    const Wakeup* wakeup) {
  if (const auto fault = fault_point(Call::send_handles)) return *fault;
  auto transfer = plan_transfer(handles);
  if (!transfer) return transfer.error();
  std::vector<Handle> copies;
  copies.reserve(handles.size());
  for (const RawHandle handle : handles) {
    const auto copy = duplicate_handle(handle);
    if (!copy) return copy.error();
    transfer->places[copies.size()] = static_cast<std::uint64_t>(*copy);
    copies.emplace_back(*copy);
  }
  if (auto status = write_transfer(channel, *transfer, deadline, wakeup); !status) return status;
  for (Handle& copy : copies) (void)copy.release();  // the receiver's now
  return {};
}

Status give_handles(Channel& channel, RawHandle child, std::span<const RawHandle> handles, Deadline deadline,
                    const Wakeup* wakeup) {
  if (const auto fault = fault_point(Call::send_handles)) return *fault;
  auto transfer = plan_transfer(handles);
  if (!transfer) return transfer.error();
  transfer->header.pid = given;
  for (std::size_t i = 0; i < handles.size(); ++i) {
    HANDLE copy = nullptr;
    if (!DuplicateHandle(GetCurrentProcess(), native(handles[i]), native(child), &copy, 0, FALSE,
                         DUPLICATE_SAME_ACCESS))
      return failure_at(child);
    transfer->places[i] = static_cast<std::uint64_t>(raw(copy));
  }
  return write_transfer(channel, *transfer, deadline, wakeup);
}

Result<std::vector<Handle>> receive_handles(Channel& channel, std::size_t count, Deadline deadline,
                                            const Wakeup* wakeup) {
  const auto fault = fault_point(Call::receive_handles);
  if (count == 0 || count > handles_per_transfer) return mistake("receive_handles");
  auto transfer = read_transfer(channel, deadline, wakeup);
  if (!transfer) return transfer.error();
  const auto peer = peer_of_pipe(channel.get());
  if (transfer->header.pid == given || (peer != anybody && transfer->header.pid != peer))
    return no_handles_here();
  auto handles = pull_all(transfer->header, transfer->values());
  if (fault) return *fault;  // the message has come, and what it brought is closed
  if (handles && handles->size() != count) return no_handles_here();
  return handles;
}

Result<std::vector<Handle>> take_handles(Channel& channel, std::size_t count, Deadline deadline,
                                         const Wakeup* wakeup) {
  const auto fault = fault_point(Call::receive_handles);
  if (count == 0 || count > handles_per_transfer) return mistake("take_handles");
  auto transfer = read_transfer(channel, deadline, wakeup);
  if (!transfer) return transfer.error();
  auto handles = transfer->header.pid == given ? adopt_all(transfer->values())
                                               : pull_all(transfer->header, transfer->values());
  if (fault) return *fault;
  if (handles && handles->size() != count) return no_handles_here();
  return handles;
}

}  // namespace multiprocessing::platform
