// Throw traces: a handler of structured exceptions around the call. A C++ exception is raised as one, by
// MSVC's runtime (0xE06D7363) as by gcc's (0x20474343). While a handler is searched for the stack is still
// whole, and every frame between the throw and the handler is asked. Ours notes the stack and declines; it is
// not asked about what is handled further in. MSVC has words for such a frame; for gcc it is written in the
// assembler's. https://learn.microsoft.com/cpp/build/exception-handling-x64
#include <array>
#include <cstring>
#include <utility>

#include "contract/throw_trace.hpp"
#include "stack_walk.hpp"

#if !defined(_MSC_VER)
#include <unwind.h>
#endif

namespace multiprocessing::platform {
namespace {

using namespace win32;

constexpr DWORD thrown_by_msvc = 0xE06D7363;
constexpr DWORD thrown_by_gcc = 0x20474343;
constexpr std::size_t system_frames = 4;  // RaiseException, and what it may be made of

std::uintptr_t module_base_of(std::uintptr_t address) noexcept {
  void* base = nullptr;
  RtlPcToFileHeader(reinterpret_cast<void*>(address), &base);
  return reinterpret_cast<std::uintptr_t>(base);
}

#if !defined(_MSC_VER)

// Where the function of gcc's unwinder starts that throws once more; what stands for it in a program that
// takes it from a DLL is a jump by way of a pointer beside it.
std::uintptr_t start_of_rethrow() noexcept {
  const auto named = reinterpret_cast<std::uintptr_t>(&_Unwind_Resume_or_Rethrow);
  constexpr std::array<unsigned char, 2> jump = {0xFF, 0x25};
  if (std::memcmp(reinterpret_cast<const void*>(named), jump.data(), jump.size()) != 0) return named;
  std::int32_t distance = 0;
  std::memcpy(&distance, reinterpret_cast<const void*>(named + jump.size()), sizeof(distance));
  const std::uintptr_t next = named + jump.size() + sizeof(distance);
  return *reinterpret_cast<const std::uintptr_t*>(next +
                                                  static_cast<std::uintptr_t>(std::intptr_t{distance}));
}

bool is_rethrow(std::uintptr_t address) noexcept {
  DWORD64 base = 0;
  const auto* entry = RtlLookupFunctionEntry(address, &base, nullptr);
  return entry != nullptr && base + entry->BeginAddress == start_of_rethrow();
}

#else

bool is_rethrow(std::uintptr_t) noexcept { return false; }

#endif

// The system's frames are those of the module that raised. Then come the runtime's: one of MSVC's
// (_CxxThrowException), two of gcc's (__cxa_throw or its kind, and the unwinder), whose unwinder takes two
// for what is thrown again.
std::size_t frames_of_runtime(DWORD code, std::span<const std::uintptr_t> addresses) noexcept {
  const std::uintptr_t raising = addresses.empty() ? 0 : module_base_of(addresses[0]);
  std::size_t count = 0;
  while (count < addresses.size() && count < system_frames && module_base_of(addresses[count]) == raising)
    ++count;
  if (code == thrown_by_msvc) return count + 1;
  const bool again = count + 1 < addresses.size() && is_rethrow(addresses[count + 1]);
  return count + (again ? 3 : 2);
}

[[maybe_unused]] void note_throw(const EXCEPTION_RECORD& exception, const CONTEXT& registers,
                                 ThrowTrace& trace) noexcept {
  if (exception.ExceptionCode != thrown_by_msvc && exception.ExceptionCode != thrown_by_gcc) return;
  std::array<std::uintptr_t, ThrowTrace::capacity + system_frames + 3> addresses;
  const auto walked = std::span(addresses).first(walk_stack(registers, addresses));
  trace.size = 0;
  for (std::size_t i = frames_of_runtime(exception.ExceptionCode, walked); i < walked.size(); ++i) {
    if (trace.size == ThrowTrace::capacity) return;
    trace.frames[trace.size++] = reinterpret_cast<const void*>(walked[i]);
  }
}

}  // namespace

#if defined(_MSC_VER)

namespace {

int note_and_decline(const EXCEPTION_POINTERS* exception, ThrowTrace& trace) noexcept {
  note_throw(*exception->ExceptionRecord, *exception->ContextRecord, trace);
  return EXCEPTION_CONTINUE_SEARCH;
}

}  // namespace

bool throw_traces_supported() noexcept { return stacks_are_walked(); }

void call_traced(void (*function)(void*), void* argument, ThrowTrace& trace) {
  trace.size = 0;
  __try {
    function(argument);
  } __except (note_and_decline(GetExceptionInformation(), trace)) {
  }
}

#elif defined(__x86_64__)

// The frame keeps the address of its trace 32 bytes above its end, behind what the called function may use.
// Its name is that of an overload, so that a stack trace that is cut at call_traced() ends here.
void call_traced(void (*function)(void*), void* argument, ThrowTrace* trace);
__asm__(R"(
.text
.p2align 4
.globl _ZN15multiprocessing8platform11call_tracedEPFvPvES1_PNS0_10ThrowTraceE
.def _ZN15multiprocessing8platform11call_tracedEPFvPvES1_PNS0_10ThrowTraceE; .scl 2; .type 32; .endef
.seh_proc _ZN15multiprocessing8platform11call_tracedEPFvPvES1_PNS0_10ThrowTraceE
_ZN15multiprocessing8platform11call_tracedEPFvPvES1_PNS0_10ThrowTraceE:
  subq $40, %rsp
  .seh_stackalloc 40
  .seh_endprologue
  .seh_handler multiprocessing_note_and_decline, @except
  movq %r8, 32(%rsp)
  movq %rcx, %rax
  movq %rdx, %rcx
  call *%rax
  nop
  addq $40, %rsp
  ret
.seh_endproc
)");

extern "C" __attribute__((used)) EXCEPTION_DISPOSITION multiprocessing_note_and_decline(
    EXCEPTION_RECORD* exception, void* frame, CONTEXT* registers, void* /*dispatcher*/) {
  note_throw(*exception, *registers, *static_cast<ThrowTrace* const*>(frame)[4]);
  return ExceptionContinueSearch;
}

bool throw_traces_supported() noexcept { return stacks_are_walked(); }

void call_traced(void (*function)(void*), void* argument, ThrowTrace& trace) {
  trace.size = 0;
  call_traced(function, argument, &trace);
}

#else  // no frame has been written for this processor

bool throw_traces_supported() noexcept { return false; }

void call_traced(void (*function)(void*), void* argument, ThrowTrace& trace) {
  trace.size = 0;
  function(argument);
}

#endif

}  // namespace multiprocessing::platform
