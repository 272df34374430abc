// What a pool does, by hand: forked workers, blocking sockets, and not a word more than the task needs.
// pool_floors_posix.cpp and pool_floors_win32.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common.hpp"

namespace benchmarks {

/// Seconds to fork so many workers with a socket each, to close these and to reap them.
[[nodiscard]] Measure bare_open_and_close(int workers);

/// Seconds of a task when `count` numbers are squared by two workers, so many at a time, where each worker
/// has `ahead` portions at most and answers each before it begins the next. The workers are there already.
[[nodiscard]] Measure bare_map(int count, std::size_t portion, std::size_t ahead);

/// Seconds of a round trip to a worker that has slept since the one before.
[[nodiscard]] Measure bare_call_after_pause(int times);

/// Seconds of a round trip to a worker whose answer a thread takes that waits for all workers, and passes on
/// to the caller.
[[nodiscard]] Measure bare_call_by_thread(int times);

/// The most memory that this process ever had, in a unit of the system's own; 0 where nobody tells.
[[nodiscard]] std::uint64_t peak_memory();

}  // namespace benchmarks
