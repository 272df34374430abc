// Framing, in both directions.
#include "connection/message_stream.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "contract/handle_transfer.hpp"
#include "wire/handles.hpp"

namespace multiprocessing::runtime {
namespace {

using platform::Condition;

constexpr std::int32_t long_message = -1;
constexpr std::int32_t with_handles = -2;
constexpr std::size_t short_header = 4, long_header = 12, handle_header = 16;
// Up to here one write for header and body is cheaper than two; Python draws the line at the same place.
constexpr std::size_t joined_up_to = 16 * 1024;
// Zeroed right before it is read into, while it is still in the cache.
constexpr std::size_t read_at_once = 256 * 1024;
// So much is asked of the allocator at once, and later sixteen times what has come: a length may be a lie,
// and memory that nobody touches costs nothing.
constexpr std::uint64_t believed = 16 * 1024 * 1024;
constexpr std::uint64_t believed_for_each = 16;

template <class Number>
void put(std::byte* place, Number number) noexcept {
  for (std::size_t i = 0; i < sizeof number; ++i)
    place[i] = static_cast<std::byte>(number >> (8 * (sizeof number - 1 - i)) & 0xff);
}

template <class Number>
Number get(const std::byte* place) noexcept {
  Number number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i)
    number = static_cast<Number>(number << 8 | static_cast<Number>(place[i]));
  return number;
}

struct Header {
  std::array<std::byte, handle_header> bytes;
  std::size_t size;
};

Header header_for(std::uint64_t body, std::size_t handles) noexcept {
  Header header{};
  if (handles == 0 && body <= static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
    put(header.bytes.data(), static_cast<std::uint32_t>(body));
    header.size = short_header;
    return header;
  }
  put(header.bytes.data(), static_cast<std::uint32_t>(handles == 0 ? long_message : with_handles));
  put(header.bytes.data() + short_header, body);
  header.size = long_header;
  if (handles == 0) return header;
  put(header.bytes.data() + long_header, static_cast<std::uint32_t>(handles));
  header.size = handle_header;
  return header;
}

/// Makes room for the bytes that come next.
void make_room(std::vector<std::byte>& body, std::size_t filled, std::uint64_t size) {
  const auto at_most = [&](std::uint64_t wanted) { return static_cast<std::size_t>(std::min(size, wanted)); };
  if (body.capacity() == filled) body.reserve(at_most(std::max(believed, filled * believed_for_each)));
  body.resize(at_most(std::min(body.capacity(), filled + read_at_once)));
}

}  // namespace

platform::Status send_message(platform::Channel& channel, std::span<const std::byte> body,
                              std::span<const platform::RawHandle> handles, const platform::Wakeup* wakeup,
                              bool& begun) {
  if (handles.size() > most_handles) return platform::Error{Condition::invalid_argument, 0, "send"};
  const auto header = header_for(body.size(), handles.size());
  const auto never = platform::Deadline::never();
  if (handles.empty() && body.size() <= joined_up_to) {
    std::array<std::byte, handle_header + joined_up_to> joined;
    std::copy_n(header.bytes.begin(), header.size, joined.begin());
    std::copy(body.begin(), body.end(), joined.begin() + static_cast<std::ptrdiff_t>(header.size));
    return channel.write_all(std::span(joined).first(header.size + body.size()), never, wakeup, &begun);
  }
  const auto head = std::span(header.bytes).first(header.size);
  if (handles.empty()) return channel.write_both(head, body, never, wakeup, &begun);
  auto outgoing = OutgoingHandles::prepare(handles);
  if (!outgoing) return outgoing.error();
  if (auto sent = channel.write_all(head, never, wakeup, &begun); !sent) return sent;
  if (auto sent = outgoing->send(channel, never, wakeup); !sent) return sent;
  return channel.write_all(body, never, wakeup, &begun);
}

void MessageReader::begin_next() noexcept {
  header_filled_ = 0;
  header_read_ = false;
  size_ = 0;
  handles_expected_ = 0;
  handles_lost_ = 0;
  no_room_.reset();
  filled_ = 0;
  message_ = {};
}

// What has begun to come, comes: only the beginning of a message is looked for.
platform::Result<std::size_t> MessageReader::read_header(platform::Channel& channel,
                                                         std::span<std::byte> place,
                                                         platform::Deadline deadline,
                                                         const platform::Wakeup* wakeup) {
  if (header_filled_ > 0) return channel.read_some(place, deadline, wakeup);
  auto look = attention_.next();
  auto count = channel.read_some(place, deadline, wakeup, &look);
  attention_.note(look);
  return count;
}

platform::Status MessageReader::fill_header(platform::Channel& channel, std::size_t size,
                                            platform::Deadline deadline, const platform::Wakeup* wakeup) {
  while (header_filled_ < size) {
    const auto place = std::span(header_).subspan(header_filled_, size - header_filled_);
    const auto count = read_header(channel, place, deadline, wakeup);
    if (!count) return count.error();
    if (*count == 0) return platform::Error{Condition::broken, 0, "recv"};
    header_filled_ += *count;
  }
  return {};
}

platform::Result<std::uint64_t> MessageReader::wait_for_header(platform::Channel& channel,
                                                               platform::Deadline deadline,
                                                               const platform::Wakeup* wakeup) {
  constexpr platform::Error nonsense{Condition::corrupt, 0, "recv"};
  if (header_read_) return size_;
  if (auto status = fill_header(channel, short_header, deadline, wakeup); !status) return status.error();
  const auto length = static_cast<std::int32_t>(get<std::uint32_t>(header_.data()));
  if (length < with_handles) return nonsense;
  if (length >= 0) {
    size_ = static_cast<std::uint64_t>(length);
  } else {
    const auto size = length == with_handles ? handle_header : long_header;
    if (auto status = fill_header(channel, size, deadline, wakeup); !status) return status.error();
    size_ = get<std::uint64_t>(header_.data() + short_header);
    if (length == with_handles) handles_expected_ = get<std::uint32_t>(header_.data() + long_header);
  }
  constexpr auto longest = static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max());
  if (size_ > longest || handles_expected_ > most_handles) return nonsense;
  header_read_ = true;
  return size_;
}

// A portion that found no room is gone from the stream, which is in step: the others follow, and are no more
// of use.
platform::Status MessageReader::fetch_handles(platform::Channel& channel, platform::Deadline deadline,
                                              const platform::Wakeup* wakeup) {
  auto& handles = message_.handles;
  for (;;) {
    const auto wanted = handles_expected_ - handles_lost_;
    const auto fetched = receive_all_handles(channel, wanted, handles, deadline, wakeup);
    if (no_room_ && fetched) {
      handles_lost_ += handles.size();  // have passed as well, should the body be asked for in a later call
      handles.clear();
    }
    if (fetched || fetched.error().condition != Condition::out_of_handles) return fetched;
    no_room_ = fetched.error();
    handles_lost_ += handles.size();
    handles_lost_ += next_portion(handles_expected_ - handles_lost_);
    handles.clear();
  }
}

platform::Result<MessageReader::Message> MessageReader::take(platform::Channel& channel,
                                                             platform::Deadline deadline,
                                                             const platform::Wakeup* wakeup) {
  if (auto status = fetch_handles(channel, deadline, wakeup); !status) return status.error();
  auto& body = message_.body;
  while (filled_ < size_) {
    if (body.size() == filled_) make_room(body, filled_, size_);
    const auto count = channel.read_some(std::span(body).subspan(filled_), deadline, wakeup);
    if (!count) return count.error();
    if (*count == 0) return platform::Error{Condition::broken, 0, "recv"};
    filled_ += *count;
  }
  Message message = std::move(message_);
  const auto no_room = no_room_;
  begin_next();
  if (no_room) return *no_room;
  return message;
}

bool MessageReader::keep(std::span<const std::byte> begun) noexcept {
  try {
    message_.body.assign(begun.begin(), begun.end());
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

platform::Status MessageReader::take_into(platform::Channel& channel, std::span<std::byte> buffer,
                                          platform::Deadline deadline, const platform::Wakeup* wakeup) {
  // What an earlier call received before it was given up.
  const std::size_t kept = std::min(filled_, message_.body.size());
  std::copy_n(message_.body.begin(), kept, buffer.begin());
  while (filled_ < size_) {
    const auto rest = buffer.subspan(filled_, static_cast<std::size_t>(size_) - filled_);
    const auto count = channel.read_some(rest, deadline, wakeup);
    if (!count || *count == 0) {
      if (!keep(buffer.first(filled_))) return platform::Error{Condition::out_of_memory, 0, "recv"};
      return count ? platform::Error{Condition::broken, 0, "recv"} : count.error();
    }
    filled_ += *count;
  }
  begin_next();
  return {};
}

}  // namespace multiprocessing::runtime
