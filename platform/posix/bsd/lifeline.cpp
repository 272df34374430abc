// The end of a process with its parent: there is no thread here that costs less than the C library's.
#include "contract/channel.hpp"
#include "contract/fault.hpp"
#include "contract/process.hpp"

namespace multiprocessing::platform {

Status end_with_peer(const Channel&, RawHandle, int) noexcept {
  if (const auto fault = fault_point(Call::end_with_peer)) return *fault;
  return Error{Condition::not_supported, 0, "end_with_peer"};
}

}  // namespace multiprocessing::platform
