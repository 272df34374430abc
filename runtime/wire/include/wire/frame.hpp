// What parent and child say to each other on the control channel: frames of a fixed header and a body.
// The parent sends one `bootstrap`, before it `handles` if some travel with it, then perhaps `stop`; the
// child sends `running` perhaps, and at most one of the others.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "contract/channel.hpp"

namespace multiprocessing::runtime {

enum class FrameKind : std::uint32_t {
  bootstrap = 1,  ///< parent → child: what to run
  stop = 2,       ///< parent → child: set the stop token; no body
  finished = 3,   ///< child → parent: run() returned; the bytes of its result
  raised = 4,     ///< child → parent: an exception escaped; an ExceptionReport, or no body
  crashed = 5,    ///< child → parent: a platform::CrashRecord, written by a signal handler
  running = 6,    ///< child → parent: it has read the bootstrap, and nobody waits for its result; no body
  handles = 7,    ///< parent → child: how many handles follow (32 bits), for the record that comes next
};

inline constexpr std::size_t frame_header_size = 16;

/// Fixed bytes, so that a signal handler can send a header that was made beforehand.
[[nodiscard]] std::array<std::byte, frame_header_size> frame_header(FrameKind kind,
                                                                    std::uint64_t body_size) noexcept;

/// Writes header and body. Errors: as Channel::write_all. Blocks.
[[nodiscard]] platform::Status send_frame(platform::Channel& channel, FrameKind kind,
                                          std::span<const std::byte> body, platform::Deadline deadline,
                                          const platform::Wakeup* wakeup = nullptr) noexcept;

struct Frame {
  FrameKind kind = FrameKind::stop;
  std::vector<std::byte> body;
};

/// Puts frames together from what has arrived. A claimed length buys no memory: the body grows as its bytes
/// come. Not thread-safe.
class FrameReader {
 public:
  enum class State : std::uint8_t {
    waiting,   ///< nothing more has arrived; wait until the channel is readable
    complete,  ///< take() gives a frame
    ended,     ///< the peer is gone; what had come of an unfinished frame is dropped
    corrupt,   ///< no frame of ours; nothing more is read
  };

  /// Reads what has arrived, up to one whole frame; never waits. Errors of the channel count as `ended`.
  /// Whoever writes as fast as it is read could keep it for long: after about `at_most` bytes it says
  /// `waiting`, too. The channel is still readable then.
  State advance(platform::Channel& channel, std::uint64_t at_most = ~std::uint64_t{0});
  /// The frame that advance() reported as complete.
  [[nodiscard]] Frame take();

 private:
  bool begin_body() noexcept;

  std::array<std::byte, frame_header_size> header_{};
  std::size_t header_filled_ = 0;
  Frame frame_;
  std::uint64_t missing_ = 0;
  bool corrupt_ = false;
};

}  // namespace multiprocessing::runtime
