// Stacks by the unwind tables that every function of a 64-bit image has, but for those that neither call nor
// use the stack: RtlLookupFunctionEntry, RtlVirtualUnwind. What has no entry counts as such a function; so
// does a jump to where no code is, whose caller is then found all the same. A stack pointer that leaves the
// thread's stack, or goes back, ends the walk before it could read what is not there.
#include "stack_walk.hpp"

namespace multiprocessing::platform::win32 {

#if defined(_M_X64) || defined(__x86_64__) || defined(_M_ARM64) || defined(__aarch64__)

namespace {

// The frame whose registers are known, and the step to its caller.
class Frame {
 public:
  explicit Frame(const CONTEXT& registers) noexcept : registers_(registers) {
    GetCurrentThreadStackLimits(&lowest_, &end_);
  }

#if defined(_M_X64) || defined(__x86_64__)
  [[nodiscard]] std::uintptr_t instruction() const noexcept { return registers_.Rip; }
#else
  [[nodiscard]] std::uintptr_t instruction() const noexcept { return registers_.Pc; }
#endif

  [[nodiscard]] bool is_on_stack() const noexcept {
    const std::uintptr_t top = stack_pointer();
    return top >= lowest_ && top <= end_ - sizeof(void*) && top % sizeof(void*) == 0;
  }

  /// Whether there is a caller.
  bool step() noexcept {
    const std::uintptr_t before = stack_pointer();
    DWORD64 base = 0;
    if (PRUNTIME_FUNCTION entry = RtlLookupFunctionEntry(instruction(), &base, nullptr)) {
      void* data = nullptr;
      DWORD64 frame = 0;
      RtlVirtualUnwind(UNW_FLAG_NHANDLER, base, instruction(), entry, &registers_, &data, &frame, nullptr);
    } else {
      leave_leaf();
    }
    // A function of ARM may have used no stack at all.
    return instruction() != 0 && stack_pointer() >= before && is_on_stack();
  }

 private:
#if defined(_M_X64) || defined(__x86_64__)
  [[nodiscard]] std::uintptr_t stack_pointer() const noexcept { return registers_.Rsp; }
  void leave_leaf() noexcept {
    registers_.Rip = *reinterpret_cast<const DWORD64*>(registers_.Rsp);
    registers_.Rsp += sizeof(DWORD64);
  }
#else
  [[nodiscard]] std::uintptr_t stack_pointer() const noexcept { return registers_.Sp; }
  void leave_leaf() noexcept {
    // Twice in a row would stay where it is.
    registers_.Pc = registers_.Pc == registers_.Lr ? 0 : registers_.Lr;
  }
#endif

  CONTEXT registers_;
  ULONG_PTR lowest_ = 0, end_ = 0;
};

}  // namespace

bool stacks_are_walked() noexcept { return true; }

std::size_t walk_stack(const CONTEXT& registers, std::span<std::uintptr_t> addresses) noexcept {
  Frame frame(registers);
  std::size_t count = 0;
  if (!addresses.empty()) addresses[count++] = frame.instruction();
  if (!frame.is_on_stack()) return count;
  while (count < addresses.size() && frame.step()) addresses[count++] = frame.instruction() - 1;
  return count;
}

#else

bool stacks_are_walked() noexcept { return false; }

std::size_t walk_stack(const CONTEXT&, std::span<std::uintptr_t>) noexcept { return 0; }

#endif

}  // namespace multiprocessing::platform::win32
