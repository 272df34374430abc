// No random numbers that nobody can guess.
#include "contract/crypto.hpp"

#include "contract/fault.hpp"
#include "not_supported.hpp"

namespace multiprocessing::platform {

Status random_bytes(std::span<std::byte>) noexcept {
  if (const auto fault = fault_point(Call::random_bytes)) return *fault;
  return not_supported("random_bytes");
}

}  // namespace multiprocessing::platform
