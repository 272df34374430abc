// What a signal handler is told about the interrupted thread. Leaves: one for each system, since each has
// its own ucontext_t.
#pragma once

#include <cstdint>

namespace multiprocessing::platform::posix {

struct MachineContext {
  std::uintptr_t program_counter = 0;  ///< 0: not known for this processor
  std::uintptr_t stack_pointer = 0;
  std::uintptr_t link_register = 0;  ///< where a call leaves its return address; 0: on the stack
  std::uintptr_t frame_pointer = 0;  ///< where the caller's, and the return address above it, are kept by
                                     ///< who keeps one; 0: not known for this processor
};

/// `context` is the third argument of a signal handler. Async-signal-safe.
[[nodiscard]] MachineContext read_machine_context(const void* context) noexcept;

}  // namespace multiprocessing::platform::posix
