// What tests and their children say to each other through a Channel: texts and numbers, with their size
// in front. Waits at most patience(), then throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/channel.hpp"

namespace multiprocessing::test_support {

[[nodiscard]] inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Bytes without an obvious period, different for each seed.
[[nodiscard]] std::vector<std::byte> pattern(std::size_t size, unsigned seed);

void send_text(platform::Channel& channel, std::string_view text);
[[nodiscard]] std::string receive_text(platform::Channel& channel);
void send_number(platform::Channel& channel, std::int64_t number);
std::int64_t receive_number(platform::Channel& channel);
/// Everything up to the end of file.
[[nodiscard]] std::string read_to_end(platform::Channel& channel);
/// Whether the next thing to read is the end of file.
[[nodiscard]] bool at_end(platform::Channel& channel);

}  // namespace multiprocessing::test_support
