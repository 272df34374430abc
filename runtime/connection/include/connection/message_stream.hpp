// Messages on a stream of bytes, framed as Python's `multiprocessing.connection` frames them: the length in
// four bytes, the highest first; a longer message has -1 there and eight bytes of length behind. A message
// that handles travel with has -2, eight bytes of length and four of their number; Python knows none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "contract/channel.hpp"
#include "contract/handle.hpp"
#include "support/attention.hpp"

namespace multiprocessing::runtime {

/// Sends one message. Errors: as Channel::write_all and send_handles; invalid_argument (too many handles).
/// After one of them the stream is of no further use, unless `begun` is still false. Blocks.
[[nodiscard]] platform::Status send_message(platform::Channel& channel, std::span<const std::byte> body,
                                            std::span<const platform::RawHandle> handles,
                                            const platform::Wakeup* wakeup, bool& begun);

/// Receives messages one after the other. What has come of one stays here when a wait is given up.
class MessageReader {
 public:
  struct Message {
    std::vector<std::byte> body;
    std::vector<platform::Handle> handles;
  };

  /// Until a header is complete: the length of the message that take() will answer. Errors: broken (the end
  /// of the stream, between two messages or inside one), corrupt (no header), timed_out, cancelled, and what
  /// else the channel says. Blocks.
  [[nodiscard]] platform::Result<std::uint64_t> wait_for_header(platform::Channel& channel,
                                                                platform::Deadline deadline,
                                                                const platform::Wakeup* wakeup);
  /// After wait_for_header(): the rest of it. Errors and blocking as there; out_of_handles: what travelled
  /// with it found no room, the message is gone, and the next one can be received.
  [[nodiscard]] platform::Result<Message> take(platform::Channel& channel, platform::Deadline deadline,
                                               const platform::Wakeup* wakeup);
  /// Into a buffer that is large enough, after wait_for_header() and if no handles came. Errors: also
  /// out_of_memory.
  [[nodiscard]] platform::Status take_into(platform::Channel& channel, std::span<std::byte> buffer,
                                           platform::Deadline deadline, const platform::Wakeup* wakeup);
  [[nodiscard]] bool brings_handles() const noexcept { return handles_expected_ > 0; }
  /// Whether the beginning of a message is here already.
  [[nodiscard]] bool in_message() const noexcept { return header_filled_ > 0; }

 private:
  [[nodiscard]] platform::Result<std::size_t> read_header(platform::Channel& channel,
                                                          std::span<std::byte> place,
                                                          platform::Deadline deadline,
                                                          const platform::Wakeup* wakeup);
  [[nodiscard]] platform::Status fill_header(platform::Channel& channel, std::size_t size,
                                             platform::Deadline deadline, const platform::Wakeup* wakeup);
  [[nodiscard]] platform::Status fetch_handles(platform::Channel& channel, platform::Deadline deadline,
                                               const platform::Wakeup* wakeup);
  /// What has come of a body, for the next call. Without memory for it the stream is of no further use.
  [[nodiscard]] bool keep(std::span<const std::byte> begun) noexcept;
  void begin_next() noexcept;

  Attention attention_;
  std::array<std::byte, 16> header_ = {};
  std::size_t header_filled_ = 0;
  bool header_read_ = false;
  std::uint64_t size_ = 0;
  std::size_t handles_expected_ = 0;
  std::size_t handles_lost_ = 0;            ///< have passed, and found no room or were of no use any more
  std::optional<platform::Error> no_room_;  ///< why
  Message message_;
  std::size_t filled_ = 0;  ///< of the body
};

}  // namespace multiprocessing::runtime
