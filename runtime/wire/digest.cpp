// The compression functions as the standards write them, and the padding that they share.
#include "wire/digest.hpp"

#include <algorithm>
#include <bit>

namespace multiprocessing::runtime {
namespace {

template <std::size_t size>
std::uint32_t big_endian(const std::array<std::byte, size>& bytes, std::size_t at) noexcept {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) word = word << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  return word;
}

template <std::size_t size>
std::uint32_t little_endian(const std::array<std::byte, size>& bytes, std::size_t at) noexcept {
  std::uint32_t word = 0;
  for (std::size_t i = 4; i-- > 0;) word = word << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  return word;
}

constexpr std::byte byte_of(std::uint64_t number, unsigned shift) noexcept {
  return static_cast<std::byte>(number >> shift & 0xff);
}

/// Fills blocks, each of which is compressed when it is full.
template <class Compress>
void absorb(std::array<std::byte, 64>& block, std::uint64_t& size, std::span<const std::byte> bytes,
            Compress compress) noexcept {
  while (!bytes.empty()) {
    const auto filled = static_cast<std::size_t>(size % block.size());
    const auto count = std::min(bytes.size(), block.size() - filled);
    std::copy_n(bytes.begin(), count, block.begin() + static_cast<std::ptrdiff_t>(filled));
    size += count;
    bytes = bytes.subspan(count);
    if (filled + count == block.size()) compress();
  }
}

/// One bit, zeros, and the length in bits in the last eight bytes.
template <class Compress>
void pad(std::array<std::byte, 64>& block, std::uint64_t& size, bool highest_first,
         Compress compress) noexcept {
  const std::uint64_t bits = size * 8;
  constexpr std::byte one{0x80};
  constexpr std::byte zero{0};
  absorb(block, size, std::span(&one, 1), compress);
  while (size % block.size() != block.size() - 8) absorb(block, size, std::span(&zero, 1), compress);
  std::array<std::byte, 8> length;
  for (unsigned i = 0; i < 8; ++i) length[i] = byte_of(bits, 8 * (highest_first ? 7 - i : i));
  absorb(block, size, length, compress);
}

constexpr std::array<std::uint32_t, 64> sha256_constants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

constexpr std::array<std::uint32_t, 64> md5_constants = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

constexpr std::array<std::array<int, 4>, 4> md5_shifts = {
    {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};

}  // namespace

void Sha256::compress() noexcept {
  std::array<std::uint32_t, 64> schedule;
  for (std::size_t i = 0; i < 16; ++i) schedule[i] = big_endian(block_, 4 * i);
  for (std::size_t i = 16; i < 64; ++i) {
    const auto early = schedule[i - 15], late = schedule[i - 2];
    const auto small0 = std::rotr(early, 7) ^ std::rotr(early, 18) ^ early >> 3;
    const auto small1 = std::rotr(late, 17) ^ std::rotr(late, 19) ^ late >> 10;
    schedule[i] = schedule[i - 16] + small0 + schedule[i - 7] + small1;
  }
  auto [a, b, c, d, e, f, g, h] = state_;
  for (std::size_t i = 0; i < 64; ++i) {
    const auto big1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const auto first = h + big1 + ((e & f) ^ (~e & g)) + sha256_constants[i] + schedule[i];
    const auto big0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const auto second = big0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + second;
  }
  const std::array<std::uint32_t, 8> sums = {a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < sums.size(); ++i) state_[i] += sums[i];
}

void Sha256::update(std::span<const std::byte> bytes) noexcept {
  absorb(block_, size_, bytes, [this] { compress(); });
}

Sha256::Value Sha256::finish() noexcept {
  pad(block_, size_, true, [this] { compress(); });
  Value value;
  for (std::size_t i = 0; i < value.size(); ++i)
    value[i] = byte_of(state_[i / 4], 8 * (3 - static_cast<unsigned>(i % 4)));
  return value;
}

void Md5::compress() noexcept {
  auto [a, b, c, d] = state_;
  for (std::size_t i = 0; i < 64; ++i) {
    std::uint32_t mixed = 0;
    std::size_t word = 0;
    switch (i / 16) {
      case 0:
        mixed = (b & c) | (~b & d);
        word = i;
        break;
      case 1:
        mixed = (d & b) | (~d & c);
        word = 5 * i + 1;
        break;
      case 2:
        mixed = b ^ c ^ d;
        word = 3 * i + 5;
        break;
      default:
        mixed = c ^ (b | ~d);
        word = 7 * i;
    }
    mixed += a + md5_constants[i] + little_endian(block_, 4 * (word % 16));
    a = d;
    d = c;
    c = b;
    b += std::rotl(mixed, md5_shifts[i / 16][i % 4]);
  }
  const std::array<std::uint32_t, 4> sums = {a, b, c, d};
  for (std::size_t i = 0; i < sums.size(); ++i) state_[i] += sums[i];
}

void Md5::update(std::span<const std::byte> bytes) noexcept {
  absorb(block_, size_, bytes, [this] { compress(); });
}

Md5::Value Md5::finish() noexcept {
  pad(block_, size_, false, [this] { compress(); });
  Value value;
  for (std::size_t i = 0; i < value.size(); ++i)
    value[i] = byte_of(state_[i / 4], 8 * static_cast<unsigned>(i % 4));
  return value;
}

bool equal_in_constant_time(std::span<const std::byte> left, std::span<const std::byte> right) noexcept {
  if (left.size() != right.size()) return false;
  std::byte difference{0};
  for (std::size_t i = 0; i < left.size(); ++i) difference |= left[i] ^ right[i];
  return difference == std::byte{0};
}

}  // namespace multiprocessing::runtime
