// What tells a message of the peer from one of somebody between: behind each message on a stream that leaves
// the machine stands an HMAC-SHA-256 of its number and its content. It hides nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "connection/handshake.hpp"
#include "wire/digest.hpp"

namespace multiprocessing::runtime {

/// One thread may send while another receives.
class Seal {
 public:
  static constexpr std::size_t size = std::tuple_size_v<Sha256::Value>;

  explicit Seal(const SealKeys& keys) noexcept : keys_(keys) {}

  /// The next message to be sent, with its seal behind.
  [[nodiscard]] std::vector<std::byte> close(std::span<const std::byte> body) const;
  /// It was sent: the next one has the next number.
  void count_sent() noexcept { ++sent_; }
  /// Takes the seal off the next message received; false if it is not the peer's, or not the next.
  [[nodiscard]] bool open(std::vector<std::byte>& body) noexcept;

 private:
  SealKeys keys_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

}  // namespace multiprocessing::runtime
