// What a child of the library has, made by hand with system calls alone; POSIX systems.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace benchmarks {

inline constexpr std::size_t record_size = 331;  // what the library sends for a function without arguments
inline constexpr std::size_t word_size = 16;     // and what the child answers

/// A thread that ends this process once one of these is ready; -1: none.
void watch_aside(int channel, int parent);
/// -1 where there are none.
[[nodiscard]] int open_sentinel(pid_t pid);
/// Until it is ready; closes it.
void wait_for(int sentinel);
/// Waits on the child's sentinel and reaps it; whether it ended with 0.
[[nodiscard]] bool wait_for_end(pid_t pid);
[[nodiscard]] bool send_record(int channel);
/// In the child: reads the record and answers it.
[[nodiscard]] bool answer_record(int channel);
/// Whether just that answer came, at the end of the channel.
[[nodiscard]] bool answered(int channel);

}  // namespace benchmarks
