// The number that stands for an image in stack traces: the same for every backend.
#include "contract/image.hpp"

namespace multiprocessing::platform {
namespace {

// FNV-1a: short, and the same in every build of the library.
std::uint64_t mix(std::uint64_t hash, const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

}  // namespace

std::uint64_t image_hash(const ImageKey& key) noexcept {
  const std::uint64_t id = mix(0xcbf29ce484222325u, key.id.data(), key.id.size());
  const std::uint64_t hash = mix(id, key.name.data(), key.name.size());
  return hash == 0 ? 1 : hash;
}

}  // namespace multiprocessing::platform
