// Handles that travel beside a frame, in portions that the platform takes. Where receipts travel, one stands
// behind the handles, in the last portion, and leaves room for one less in each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "contract/channel.hpp"
#include "contract/handle.hpp"
#include "support/kept_handles.hpp"

namespace multiprocessing::runtime {

/// Handles at one go at most, over a control channel or beside one message.
inline constexpr std::size_t most_handles = 4096;

/// Any number of handles that are to be sent; they stay the caller's, and open until then. He may close his
/// when send() or give() has returned: whatever the system needs until the receiver has them is kept.
class OutgoingHandles {
 public:
  /// Fetches what sending them takes, and has sent nothing. Errors: as KeptHandles::keep().
  [[nodiscard]] static platform::Result<OutgoingHandles> prepare(
      std::span<const platform::RawHandle> handles);

  /// Once. Errors: as platform::send_handles. Blocks.
  [[nodiscard]] platform::Status send(platform::Channel& channel, platform::Deadline deadline,
                                      const platform::Wakeup* wakeup = nullptr);
  /// The same to a child with this sentinel; see platform::give_handles.
  [[nodiscard]] platform::Status give(platform::Channel& channel, platform::RawHandle child,
                                      platform::Deadline deadline, const platform::Wakeup* wakeup = nullptr);

 private:
  OutgoingHandles(std::span<const platform::RawHandle> handles, KeptHandles kept) noexcept
      : handles_(handles), kept_(std::move(kept)) {}
  template <class Send>
  platform::Status in_portions(Send send);

  std::span<const platform::RawHandle> handles_;
  KeptHandles kept_;
};

/// Receives what one OutgoingHandles sent, behind those that are in `handles` already, until there are
/// `count`: after a failure it may be called again. Errors: as platform::receive_handles. Blocks.
[[nodiscard]] platform::Status receive_all_handles(platform::Channel& channel, std::size_t count,
                                                   std::vector<platform::Handle>& handles,
                                                   platform::Deadline deadline,
                                                   const platform::Wakeup* wakeup = nullptr);

/// How many of the handles that are left to receive stand in the next portion.
[[nodiscard]] std::size_t next_portion(std::size_t left) noexcept;
/// That portion, from the parent; see platform::take_handles.
[[nodiscard]] platform::Result<std::vector<platform::Handle>> take_next_handles(platform::Channel& channel,
                                                                                std::size_t left,
                                                                                platform::Deadline deadline);

/// Owns handles as numbers, the way a Decoder takes them: those that are taken hold -1, the others are closed
/// at the end.
class ArrivedHandles {
 public:
  ArrivedHandles() noexcept = default;
  explicit ArrivedHandles(std::vector<platform::Handle> handles);
  ArrivedHandles(ArrivedHandles&&) noexcept = default;
  ArrivedHandles& operator=(ArrivedHandles&&) = delete;
  ~ArrivedHandles();
  [[nodiscard]] std::span<std::intptr_t> offer() noexcept { return raw_; }

 private:
  std::vector<std::intptr_t> raw_;
};

}  // namespace multiprocessing::runtime
