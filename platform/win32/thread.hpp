// Threads of the backend's own: the system's handle, without what a thread library keeps beside it.
#pragma once

#include <functional>

#include "win32.hpp"

namespace multiprocessing::platform::win32 {

struct Thread {
  Handle handle;  ///< ready when the thread has ended
  DWORD id = 0;
};

/// Runs `work`, which must not throw, in a thread. Errors: out_of_processes, out_of_memory.
[[nodiscard]] Result<Thread> start_thread(std::function<void()> work);

}  // namespace multiprocessing::platform::win32
