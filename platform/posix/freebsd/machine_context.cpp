// The registers in FreeBSD's ucontext_t. Unknown processors get no program counter: reports then start
// with what the unwinder finds.
#include "machine_context.hpp"

#include <sys/ucontext.h>

namespace multiprocessing::platform::posix {

MachineContext read_machine_context(const void* context) noexcept {
  [[maybe_unused]] const mcontext_t& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__amd64__)
  return {static_cast<std::uintptr_t>(machine.mc_rip), static_cast<std::uintptr_t>(machine.mc_rsp), 0};
#elif defined(__aarch64__)
  return {machine.mc_gpregs.gp_elr, machine.mc_gpregs.gp_sp, machine.mc_gpregs.gp_lr};
#else
  return {};
#endif
}

}  // namespace multiprocessing::platform::posix
