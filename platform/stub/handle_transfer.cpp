// Handles that go nowhere.
#include "contract/handle_transfer.hpp"

#include "contract/fault.hpp"
#include "not_supported.hpp"

namespace multiprocessing::platform {

bool carries_handles(const Channel&) noexcept { return false; }

Status send_handles(Channel&, std::span<const RawHandle>, Deadline, const Wakeup*) {
  if (const auto fault = fault_point(Call::send_handles)) return *fault;
  return not_supported("send_handles");
}

Result<std::vector<Handle>> receive_handles(Channel&, std::size_t, Deadline, const Wakeup*) {
  if (const auto fault = fault_point(Call::receive_handles)) return *fault;
  return not_supported("receive_handles");
}

Status give_handles(Channel& channel, RawHandle, std::span<const RawHandle> handles, Deadline deadline,
                    const Wakeup* wakeup) {
  return send_handles(channel, handles, deadline, wakeup);
}

Result<std::vector<Handle>> take_handles(Channel& channel, std::size_t count, Deadline deadline,
                                         const Wakeup* wakeup) {
  return receive_handles(channel, count, deadline, wakeup);
}

}  // namespace multiprocessing::platform
