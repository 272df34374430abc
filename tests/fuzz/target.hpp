// What the fuzz targets have in common: their one function, and a stream that carries what the fuzzer made.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "contract/channel.hpp"

/// The fuzzer's name for it, which is also called by replay.cpp. Whatever the bytes are, it returns 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Bytes, taken from the front. What is asked of none is 0.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) noexcept
      : rest_(reinterpret_cast<const std::byte*>(data), size) {}

  [[nodiscard]] unsigned number() noexcept {
    const auto one = take(1);
    return one.empty() ? 0 : std::to_integer<unsigned>(one.front());
  }
  [[nodiscard]] std::span<const std::byte> take(std::size_t count) noexcept {
    const auto taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  [[nodiscard]] std::span<const std::byte> rest() noexcept { return take(rest_.size()); }

 private:
  std::span<const std::byte> rest_;
};

/// What must hold for every input.
inline void demand(bool holds) {
  if (!holds) std::abort();
}

/// The end of a stream out of which these bytes come, as far as it holds them, and then its end.
inline multiprocessing::platform::Channel stream_of(std::span<const std::byte> bytes) {
  auto ends = multiprocessing::platform::channel_pair();
  demand(ends.has_value());
  constexpr std::size_t most = 32 * 1024;
  bytes = bytes.first(std::min(bytes.size(), most));
  demand(ends->first.write_all(bytes, multiprocessing::platform::Deadline::never()).has_value());
  return std::move(ends->second);
}

}  // namespace fuzz
