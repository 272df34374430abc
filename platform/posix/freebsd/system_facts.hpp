// Properties of the system that need no asking.
#pragma once

#include <optional>

#include <sys/resource.h>

namespace multiprocessing::platform::posix::facts {

inline constexpr const char* system = "freebsd";
inline constexpr bool fork_is_default = false;
/// The data segment is not what its allocator uses.
inline constexpr std::optional<int> memory_resource = RLIMIT_AS;
inline constexpr bool crash_stacks = true;
inline constexpr bool symbol_names = true;
/// A unix socket whose peer closed is at its end, whatever was left unread.
inline constexpr bool tells_unread = false;
inline constexpr bool transfer_keeps_handles = true;
/// A unix socket refuses alike when nobody listens and when its queue is full.
inline constexpr bool tells_abandoned = false;

}  // namespace multiprocessing::platform::posix::facts
