// Messages between tests and their children.
#include "test_support/messages.hpp"

#include <array>

#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::test_support {

std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
  std::vector<std::byte> bytes(size);
  std::uint32_t state = seed * 2654435761U + 1U;
  for (auto& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

void send_text(platform::Channel& channel, std::string_view text) {
  const WaitingFor note("room to write a text");
  const auto size = static_cast<std::uint32_t>(text.size());
  must(channel.write_all(std::as_bytes(std::span(&size, 1)), patience()));
  must(channel.write_all(bytes_of(text), patience()));
}

std::string receive_text(platform::Channel& channel) {
  const WaitingFor note("a text to arrive");
  std::uint32_t size = 0;
  must(channel.read_all(std::as_writable_bytes(std::span(&size, 1)), patience()));
  std::string text(size, '\0');
  if (size > 0)
    must(channel.read_all(std::as_writable_bytes(std::span(text.data(), text.size())), patience()));
  return text;
}

void send_number(platform::Channel& channel, std::int64_t number) {
  const WaitingFor note("room to write a number");
  must(channel.write_all(std::as_bytes(std::span(&number, 1)), patience()));
}

std::int64_t receive_number(platform::Channel& channel) {
  const WaitingFor note("a number to arrive");
  std::int64_t number = 0;
  must(channel.read_all(std::as_writable_bytes(std::span(&number, 1)), patience()));
  return number;
}

std::string read_to_end(platform::Channel& channel) {
  const WaitingFor note("the end of a stream");
  std::string text;
  std::array<char, 4096> buffer;
  while (const auto size = must(channel.read_some(std::as_writable_bytes(std::span(buffer)), patience())))
    text.append(buffer.data(), size);
  return text;
}

bool at_end(platform::Channel& channel) {
  const WaitingFor note("a stream to end");
  std::byte byte{};
  return must(channel.read_some(std::span(&byte, 1), patience())) == 0;
}

}  // namespace multiprocessing::test_support
