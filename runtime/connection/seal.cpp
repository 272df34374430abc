// Seals: number and content under the key of the direction.
#include "connection/seal.hpp"

#include <array>

namespace multiprocessing::runtime {
namespace {

Sha256::Value mac_of(const SealKeys::Key& key, std::uint64_t number,
                     std::span<const std::byte> body) noexcept {
  std::array<std::byte, sizeof number> bytes;
  for (auto& byte : bytes) {
    byte = static_cast<std::byte>(number & 0xff);
    number >>= 8;
  }
  Hmac<Sha256> mac(key);
  mac.update(bytes);
  mac.update(body);
  return mac.finish();
}

}  // namespace

std::vector<std::byte> Seal::close(std::span<const std::byte> body) const {
  std::vector<std::byte> message;
  message.reserve(body.size() + size);
  message.assign(body.begin(), body.end());
  const auto mac = mac_of(keys_.to_send, sent_, body);
  message.insert(message.end(), mac.begin(), mac.end());
  return message;
}

bool Seal::open(std::vector<std::byte>& body) noexcept {
  if (body.size() < size) return false;
  const auto content = std::span<const std::byte>(body).first(body.size() - size);
  const auto mac = std::span<const std::byte>(body).last(size);
  if (!equal_in_constant_time(mac, mac_of(keys_.to_receive, received_++, content))) return false;
  body.resize(content.size());
  return true;
}

}  // namespace multiprocessing::runtime
