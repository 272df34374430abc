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

std::uint64_t image_hash(std::span<const std::byte> id, std::string_view name) noexcept {
  const std::uint64_t of_id = mix(0xcbf29ce484222325u, id.data(), id.size());
  const std::uint64_t hash = mix(of_id, name.data(), name.size());
  return hash == 0 ? 1 : hash;
}

std::uint64_t image_hash(const ImageKey& key) noexcept { return image_hash(key.id, key.name); }

}  // namespace multiprocessing::platform
