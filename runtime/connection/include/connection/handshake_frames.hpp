// The messages of a handshake on a stream: a length of four bytes, then that many, as every message. Not more
// is read than the handshake's own bytes, and not more than it may have.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "connection/handshake.hpp"
#include "contract/channel.hpp"

namespace multiprocessing::runtime {

[[nodiscard]] platform::Status send_frame(platform::Channel& channel, std::span<const std::byte> message,
                                          platform::Deadline deadline,
                                          const platform::Wakeup* wakeup = nullptr);

/// Keeps what has come of a message between calls.
class FrameIntake {
 public:
  /// The next message. Errors: timed_out (more is to come), broken (the peer is gone), corrupt (longer than
  /// the handshake's messages may be together), cancelled, and what else the channel says.
  [[nodiscard]] platform::Result<std::vector<std::byte>> next(platform::Channel& channel,
                                                              platform::Deadline deadline,
                                                              const platform::Wakeup* wakeup = nullptr);

 private:
  [[nodiscard]] platform::Status fill(platform::Channel& channel, std::span<std::byte> place,
                                      platform::Deadline deadline, const platform::Wakeup* wakeup);

  std::array<std::byte, 4> header_{};
  std::vector<std::byte> body_;
  std::size_t filled_ = 0;  ///< of the header, then of the body
  bool header_read_ = false;
  std::size_t total_ = 0;  ///< of all messages, headers not counted
};

}  // namespace multiprocessing::runtime
