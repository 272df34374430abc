// SHA-256 (FIPS 180-4), MD5 (RFC 1321) and HMAC over both (RFC 2104): what handshakes and seals are made of.
// MD5 is here for Python up to 3.11 alone, which knows nothing else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace multiprocessing::runtime {

/// What SHA-256 and MD5 have in common: blocks of 64 bytes, then the length in bits.
class BlockDigest {
 public:
  static constexpr std::size_t block_size = 64;

 protected:
  std::array<std::byte, block_size> block_{};
  std::uint64_t size_ = 0;  ///< of all that came
};

class Sha256 : private BlockDigest {
 public:
  using Value = std::array<std::byte, 32>;
  using BlockDigest::block_size;
  void update(std::span<const std::byte> bytes) noexcept;
  /// Once; nothing may follow.
  [[nodiscard]] Value finish() noexcept;

 private:
  void compress() noexcept;
  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
};

class Md5 : private BlockDigest {
 public:
  using Value = std::array<std::byte, 16>;
  using BlockDigest::block_size;
  void update(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] Value finish() noexcept;

 private:
  void compress() noexcept;
  std::array<std::uint32_t, 4> state_ = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
};

/// HMAC in steps, for what does not lie in one piece.
template <class Digest>
class Hmac {
 public:
  explicit Hmac(std::span<const std::byte> key) noexcept {
    std::array<std::byte, Digest::block_size> block{};
    if (key.size() > block.size()) {
      Digest shortened;
      shortened.update(key);
      const auto value = shortened.finish();
      for (std::size_t i = 0; i < value.size(); ++i) block[i] = value[i];
    } else {
      for (std::size_t i = 0; i < key.size(); ++i) block[i] = key[i];
    }
    auto inner = block;
    for (auto& byte : inner) byte ^= std::byte{0x36};
    for (auto& byte : block) byte ^= std::byte{0x5c};
    inner_.update(inner);
    outer_.update(block);
  }
  void update(std::span<const std::byte> bytes) noexcept { inner_.update(bytes); }
  [[nodiscard]] typename Digest::Value finish() noexcept {
    const auto value = inner_.finish();
    outer_.update(value);
    return outer_.finish();
  }

 private:
  Digest inner_;
  Digest outer_;
};

template <class Digest>
[[nodiscard]] typename Digest::Value hmac(std::span<const std::byte> key,
                                          std::span<const std::byte> message) noexcept {
  Hmac<Digest> mac(key);
  mac.update(message);
  return mac.finish();
}

/// Takes as long for what differs in the first byte as for what differs in the last.
[[nodiscard]] bool equal_in_constant_time(std::span<const std::byte> left,
                                          std::span<const std::byte> right) noexcept;

}  // namespace multiprocessing::runtime
