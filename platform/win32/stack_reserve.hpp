// Room on the stack of each thread for the report of its overflow.
#pragma once

namespace multiprocessing::platform::win32 {

/// From now on the calling thread, and every thread that starts, keeps 64 KiB behind the end of its stack.
void reserve_stacks() noexcept;
/// Threads that start later are left as they are.
void leave_stacks_alone() noexcept;

}  // namespace multiprocessing::platform::win32
