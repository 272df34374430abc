// Nobody forks here, neither for himself nor for another.
#include "contract/handover.hpp"

namespace multiprocessing::platform {
namespace {

constexpr Error not_supported{Condition::not_supported, 0, "fork"};

}  // namespace

Status hand_over_child(Channel&, const ChildProcess&, Deadline) { return not_supported; }
Status refuse_child(Channel&, const Error&, Deadline) noexcept { return not_supported; }
Status tell_end(Channel&, const ExitStatus&, Deadline) noexcept { return not_supported; }
Result<ChildProcess> take_over_child(Channel, Deadline, const Wakeup*) { return not_supported; }

}  // namespace multiprocessing::platform
