// A child that one process forks for another, as a fork server does. The one that forked stays its parent: it
// reaps it, and tells how it ended. The other watches and stops it like a child of its own. What the two say
// to each other goes through a channel that serves this child alone; when its forking end is closed, nobody
// will say more.
//
// Where the system has no such thing (see Capabilities::child_handover) each call is not_supported.
#pragma once

#include "contract/channel.hpp"
#include "contract/clock.hpp"
#include "contract/process.hpp"
#include "contract/wait.hpp"

namespace multiprocessing::platform {

/// The one that forked: this is the child. It stays the caller's, who has not reaped it. Errors: those of
/// Channel::write_all and send_handles. Blocks.
[[nodiscard]] Status hand_over_child(Channel& to, const ChildProcess& child, Deadline deadline);
/// The one that forked: there is no child, and why. Errors: those of Channel::write_all. Blocks.
[[nodiscard]] Status refuse_child(Channel& to, const Error& why, Deadline deadline) noexcept;
/// The one that forked, after hand_over_child(): how it ended. Errors: those of Channel::write_all. Blocks.
[[nodiscard]] Status tell_end(Channel& to, const ExitStatus& status, Deadline deadline) noexcept;

/// The other one: waits for the child. Its sentinel becomes ready with its end, whether or not anybody tells
/// of it; send() reaches it and no other. poll() answers what tell_end() told. The end of a child is known a
/// moment before anybody could tell how it was: then there is an expected_word(). When nobody will say more,
/// or it takes too long, the status is ExitStatus::Kind::unknown. Errors: what refuse_child() told;
/// broken (nobody is there any more), corrupt; those of reading, of receive_handles and of open_sentinel;
/// out_of_processes, out_of_memory. The channel is closed then. Blocks.
[[nodiscard]] Result<ChildProcess> take_over_child(Channel from, Deadline deadline,
                                                   const Wakeup* wakeup = nullptr);

}  // namespace multiprocessing::platform
