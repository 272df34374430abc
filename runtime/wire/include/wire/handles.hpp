// Handles that travel beside a frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "contract/channel.hpp"
#include "contract/handle.hpp"

namespace multiprocessing::runtime {

/// Handles at one go at most, over a control channel or beside one message.
inline constexpr std::size_t most_handles = 4096;

/// Sends any number of handles; they stay the caller's. Errors: as platform::send_handles. Blocks.
[[nodiscard]] platform::Status send_all_handles(platform::Channel& channel,
                                                std::span<const platform::RawHandle> handles,
                                                platform::Deadline deadline,
                                                const platform::Wakeup* wakeup = nullptr);
/// The same to a child with this sentinel; see platform::give_handles.
[[nodiscard]] platform::Status give_all_handles(platform::Channel& channel, platform::RawHandle child,
                                                std::span<const platform::RawHandle> handles,
                                                platform::Deadline deadline,
                                                const platform::Wakeup* wakeup = nullptr);

/// Receives what one send_all_handles() sent, behind those that are in `handles` already, until there are
/// `count`: after a failure it may be called again. Errors: as platform::receive_handles. Blocks.
[[nodiscard]] platform::Status receive_all_handles(platform::Channel& channel, std::size_t count,
                                                   std::vector<platform::Handle>& handles,
                                                   platform::Deadline deadline,
                                                   const platform::Wakeup* wakeup = nullptr);
/// The same from the parent; see platform::take_handles.
[[nodiscard]] platform::Status take_all_handles(platform::Channel& channel, std::size_t count,
                                                std::vector<platform::Handle>& handles,
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
