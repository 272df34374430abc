// Threads by _beginthreadex, which sets up the C runtime for them. The thread library of mingw-w64 now and
// then loses the handle of a thread, so that std::thread cannot be used where nothing may leak.
#include "thread.hpp"

#include <errno.h>
#include <process.h>

#include <memory>

namespace multiprocessing::platform::win32 {
namespace {

unsigned __stdcall run(void* argument) {
  const std::unique_ptr<std::function<void()>> work(static_cast<std::function<void()>*>(argument));
  (*work)();
  return 0;
}

}  // namespace

Result<Thread> start_thread(std::function<void()> work) {
  auto owned = std::make_unique<std::function<void()>>(std::move(work));
  unsigned id = 0;
  const std::uintptr_t handle = _beginthreadex(nullptr, 0, &run, owned.get(), 0, &id);
  if (handle == 0) {
    const int code = errno;
    return Error{code == EAGAIN ? Condition::out_of_processes : Condition::out_of_memory, 0,
                 "_beginthreadex"};
  }
  (void)owned.release();  // the thread's now
  return Thread{Handle(static_cast<RawHandle>(handle)), id};
}

}  // namespace multiprocessing::platform::win32
