// The registers in Linux's ucontext_t. Unknown processors get no program counter: reports then start with
// what the unwinder finds.
#include "machine_context.hpp"

#include <ucontext.h>

namespace multiprocessing::platform::posix {

MachineContext read_machine_context(const void* context) noexcept {
  [[maybe_unused]] const mcontext_t& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return {static_cast<std::uintptr_t>(machine.gregs[REG_RIP]),
          static_cast<std::uintptr_t>(machine.gregs[REG_RSP]), 0,
          static_cast<std::uintptr_t>(machine.gregs[REG_RBP])};
#elif defined(__i386__)
  return {static_cast<std::uintptr_t>(machine.gregs[REG_EIP]),
          static_cast<std::uintptr_t>(machine.gregs[REG_ESP]), 0};
#elif defined(__aarch64__)
  return {machine.pc, machine.sp, machine.regs[30], machine.regs[29]};
#elif defined(__arm__)
  return {machine.arm_pc, machine.arm_sp, machine.arm_lr};
#elif defined(__riscv)
  return {machine.__gregs[REG_PC], machine.__gregs[REG_SP], machine.__gregs[REG_RA]};
#else
  return {};
#endif
}

}  // namespace multiprocessing::platform::posix
