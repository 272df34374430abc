// Native handles that travel through a Channel beside the bytes of a message. POSIX attaches them to
// the bytes (SCM_RIGHTS); Windows writes (sender's identity, value) and the receiver pulls a duplicate,
// which closes the sender's.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "contract/channel.hpp"

namespace multiprocessing::platform {

/// How many handles one call carries at most.
inline constexpr std::size_t handles_per_transfer = 64;

/// Whether handles can travel through this channel: not over TCP, nor through a one-way pipe.
[[nodiscard]] bool carries_handles(const Channel& channel) noexcept;

/// Sends duplicates of the handles; the caller keeps his own and may close them when the call returns, where
/// Capabilities::transfer_keeps_handles says so; elsewhere only once the receiver has them, which nothing
/// here tells. Interleaves with Channel::write_all as one more write: the receiver must call
/// receive_handles() at the same place in the stream. Errors: invalid_argument (none, too many, or one that
/// is not open), broken, timed_out, cancelled (`wakeup`, if not null, was notified), not_supported (see
/// Capabilities::handle_transfer). Blocks.
[[nodiscard]] Status send_handles(Channel& channel, std::span<const RawHandle> handles, Deadline deadline,
                                  const Wakeup* wakeup = nullptr);

/// Receives exactly the handles of one send_handles(); none is inheritable. Errors: broken (stream ended),
/// corrupt (no handles stand at this place, or it was given up half-way), out_of_handles (what had come is
/// closed, the stream is still in step), timed_out, cancelled (nothing was taken). Blocks.
[[nodiscard]] Result<std::vector<Handle>> receive_handles(Channel& channel, std::size_t count,
                                                          Deadline deadline, const Wakeup* wakeup = nullptr);

/// As send_handles(), to a child that this process has launched and that holds the other end itself; `child`
/// is its sentinel. What the child never takes is closed when it ends.
[[nodiscard]] Status give_handles(Channel& channel, RawHandle child, std::span<const RawHandle> handles,
                                  Deadline deadline, const Wakeup* wakeup = nullptr);

/// As receive_handles(), for what was sent or given. Only where the parent is at the other end: it is
/// believed which handles of this process it means.
[[nodiscard]] Result<std::vector<Handle>> take_handles(Channel& channel, std::size_t count, Deadline deadline,
                                                       const Wakeup* wakeup = nullptr);

}  // namespace multiprocessing::platform
