// Children that nobody can fork.
#include "contract/handover.hpp"

#include "not_supported.hpp"

namespace multiprocessing::platform {

Status hand_over_child(Channel&, const ChildProcess&, Deadline) { return not_supported("hand_over_child"); }
Status refuse_child(Channel&, const Error&, Deadline) noexcept { return not_supported("refuse_child"); }
Status tell_end(Channel&, const ExitStatus&, Deadline) noexcept { return not_supported("tell_end"); }
Result<ChildProcess> take_over_child(Channel, Deadline, const Wakeup*) {
  return not_supported("take_over_child");
}

}  // namespace multiprocessing::platform
