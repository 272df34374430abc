// The registers in macOS's ucontext_t.
#include "machine_context.hpp"

#include <mach/thread_status.h>
#include <sys/ucontext.h>

namespace multiprocessing::platform::posix {

MachineContext read_machine_context(const void* context) noexcept {
  const auto& state = static_cast<const ucontext_t*>(context)->uc_mcontext->__ss;
#if defined(__arm64__)
  return {arm_thread_state64_get_pc(state), arm_thread_state64_get_sp(state),
          arm_thread_state64_get_lr(state), arm_thread_state64_get_fp(state)};
#else
  return {state.__rip, state.__rsp, 0, state.__rbp};
#endif
}

}  // namespace multiprocessing::platform::posix
