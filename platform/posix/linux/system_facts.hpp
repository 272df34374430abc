// Properties of the system that need no asking.
#pragma once

#include <optional>

#include <sys/resource.h>

namespace multiprocessing::platform::posix::facts {

inline constexpr const char* system = "linux";
inline constexpr bool fork_is_default = true;
/// Every writable private page counts since Linux 4.7; address space that is merely reserved does not.
inline constexpr std::optional<int> memory_resource = RLIMIT_DATA;
inline constexpr bool crash_stacks = true;
inline constexpr bool symbol_names = true;
/// A unix socket whose peer closed with something unread says ECONNRESET, once, before the end of file.
inline constexpr bool tells_unread = true;
inline constexpr bool transfer_keeps_handles = true;
/// A unix socket whose queue is full says so (EAGAIN): it refuses only when nobody listens.
inline constexpr bool tells_abandoned = true;

}  // namespace multiprocessing::platform::posix::facts
