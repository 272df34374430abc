// Handles of a system that has none.
#include "contract/handle.hpp"

#include "contract/fault.hpp"
#include "not_supported.hpp"

namespace multiprocessing::platform {

void close_handle(RawHandle) noexcept {}

Result<RawHandle> duplicate_handle(RawHandle) noexcept {
  if (const auto fault = fault_point(Call::duplicate_handle)) return *fault;
  return not_supported("duplicate_handle");
}

}  // namespace multiprocessing::platform
