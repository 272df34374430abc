// Random numbers: BCryptGenRandom with the system's preferred generator, which needs no handle and is safe
// in every thread. It takes at most 4 GiB at once.
#include "contract/crypto.hpp"

#include "contract/fault.hpp"
#include "random.hpp"
#include "win32.hpp"

#include <bcrypt.h>

#include <algorithm>

namespace multiprocessing::platform {

Status win32::fill_with_random(std::span<std::byte> buffer) noexcept {
  while (!buffer.empty()) {
    const auto size = std::min<std::size_t>(buffer.size(), 1U << 20U);
    const NTSTATUS status = BCryptGenRandom(nullptr, reinterpret_cast<PUCHAR>(buffer.data()),
                                            static_cast<ULONG>(size), BCRYPT_USE_SYSTEM_PREFERRED_RNG);
    if (status != 0) return Error{Condition::other, static_cast<int>(status), "BCryptGenRandom"};
    buffer = buffer.subspan(size);
  }
  return {};
}

Status random_bytes(std::span<std::byte> buffer) noexcept {
  if (const auto fault = fault_point(Call::random_bytes)) return *fault;
  return win32::fill_with_random(buffer);
}

}  // namespace multiprocessing::platform
