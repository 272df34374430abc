// What only the system's own files know of pipes; pipes_posix.cpp and pipes_win32.cpp.
#pragma once

#include <cstddef>

#include "common.hpp"

namespace benchmarks {

/// How a message goes: there and back, or there alone, the last one answered with a byte.
enum class Way { round_trip, one_way };

/// Seconds for one message of that size through a blocking pair of sockets, a forked child at its other end,
/// which puts nothing around it. Empty where there is none to compare with.
[[nodiscard]] Measure bare_socket(std::size_t size, int times, Way way);

/// A round trip as before, each message with its length in front, which is read first: the three calls that a
/// message costs whoever must not take more from a stream than is his.
[[nodiscard]] Measure bare_framed_socket(std::size_t size, int times);

/// The same, with readers that do not sleep: each asks again until something is there.
[[nodiscard]] Measure bare_framed_socket_without_sleep(std::size_t size, int times);

/// The same with this process, and the children that it starts meanwhile, on one processor. Empty where that
/// cannot be had.
[[nodiscard]] Measure on_one_processor(Measure measure);

}  // namespace benchmarks
