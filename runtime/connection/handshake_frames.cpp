// Short messages, read byte by byte as they come.
#include "connection/handshake_frames.hpp"

#include <utility>

namespace multiprocessing::runtime {

using platform::Condition;

platform::Status send_frame(platform::Channel& channel, std::span<const std::byte> message,
                            platform::Deadline deadline, const platform::Wakeup* wakeup) {
  std::vector<std::byte> frame = {std::byte{0}, std::byte{0}, static_cast<std::byte>(message.size() >> 8),
                                  static_cast<std::byte>(message.size() & 0xff)};
  frame.insert(frame.end(), message.begin(), message.end());
  return channel.write_all(frame, deadline, wakeup);
}

platform::Status FrameIntake::fill(platform::Channel& channel, std::span<std::byte> place,
                                   platform::Deadline deadline, const platform::Wakeup* wakeup) {
  while (filled_ < place.size()) {
    const auto count = channel.read_some(place.subspan(filled_), deadline, wakeup);
    if (!count) return count.error();
    if (*count == 0) return platform::Error{Condition::broken, 0, "handshake"};
    filled_ += *count;
  }
  return {};
}

platform::Result<std::vector<std::byte>> FrameIntake::next(platform::Channel& channel,
                                                           platform::Deadline deadline,
                                                           const platform::Wakeup* wakeup) {
  if (!header_read_) {
    if (auto status = fill(channel, header_, deadline, wakeup); !status) return status.error();
    std::size_t size = 0;
    for (const std::byte byte : header_) size = size << 8 | std::to_integer<std::size_t>(byte);
    if (size > Handshake::most_bytes - total_) return platform::Error{Condition::corrupt, 0, "handshake"};
    total_ += size;
    body_.resize(size);
    header_read_ = true;
    filled_ = 0;
  }
  if (auto status = fill(channel, body_, deadline, wakeup); !status) return status.error();
  header_read_ = false;
  filled_ = 0;
  return std::exchange(body_, {});
}

}  // namespace multiprocessing::runtime
