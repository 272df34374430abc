// A stream of any bytes as the other side of a handshake: whoever does not know the key is not accepted.
#pragma once

#include <memory>
#include <vector>

#include "connection/handshake.hpp"
#include "connection/handshake_frames.hpp"
#include "target.hpp"

namespace fuzz {

inline const std::vector<std::byte> key(16, std::byte{42});

/// Hears what the bytes say until somebody has had enough.
inline void shake_hands(std::unique_ptr<multiprocessing::runtime::Handshake> handshake,
                        std::span<const std::byte> bytes) {
  using namespace multiprocessing;
  using Verdict = runtime::Handshake::Answer::Verdict;
  auto channel = stream_of(bytes);
  runtime::FrameIntake intake;
  static_cast<void>(handshake->begin());
  for (std::size_t heard = 0;; heard += 1) {
    const auto message = intake.next(channel, platform::Deadline::now());
    if (!message) return;
    demand(heard < 4);  // no handshake is longer
    const auto answer = handshake->hear(*message);
    demand(answer.verdict != Verdict::accepted && !handshake->peer_has_key());
    demand(answer.reply.size() <= runtime::Handshake::most_bytes);
    if (answer.verdict == Verdict::refused) return;
  }
}

}  // namespace fuzz
