// The type_info that watches exceptions pass, for libc++abi; see ../call_traced.cpp. It is defined under the
// linker's name of ThrowWitness's type_info and in a file of its own, because a compiler that sees both takes
// it for a mistake. libc++abi asks a type_info by the function that stands in its table where libstdc++ has
// __do_catch; all type_infos of the runtime are derived from a class with the functions below
// (private_typeinfo.h). The search asks once for each exception that leaves a traced call; unwinding asks
// again, when the stack is gone, so what was recorded first stays.
//
// Between a throw and us lie frames of the runtime, which are in every trace and tell nothing. How many there
// are depends on how it was built, and what they are called is not to be had while an exception is on its
// way. So this throws once in each of the ways there are, before anybody else does, and remembers from where
// the unwinder was called.
#include "throw_witness.hpp"

#include <array>
#include <cstdint>
#include <exception>
#include <utility>

#include <unwind.h>

namespace multiprocessing::platform::posix {
namespace {

constexpr std::size_t runtime_frames = 24;  // more than there ever are

// A throw of which it is known how deep the function lies that throws.
struct Rehearsal {
  std::size_t depth = 0;
  std::uintptr_t called_from = 0;  // the runtime's frame next to that function; 0: not seen
};

thread_local ThrowTrace* active_trace = nullptr;
thread_local Rehearsal* rehearsal = nullptr;

// Frames from the caller on, innermost first: how many there are, and the first of them.
struct Stack {
  std::size_t count = 0;
  std::array<std::uintptr_t, runtime_frames> innermost = {};
};

_Unwind_Reason_Code note_frame(_Unwind_Context* context, void* argument) {
  Stack& stack = *static_cast<Stack*>(argument);
  const std::uintptr_t address = _Unwind_GetIP(context);
  if (address == 0) return _URC_END_OF_STACK;
  if (stack.count < stack.innermost.size()) stack.innermost[stack.count] = address;
  ++stack.count;
  return _URC_NO_REASON;
}

void note_rehearsal() {
  Stack stack;
  _Unwind_Backtrace(note_frame, &stack);
  if (stack.count <= rehearsal->depth) return;
  const std::size_t thrower = stack.count - rehearsal->depth;
  if (thrower < stack.innermost.size()) rehearsal->called_from = stack.innermost[thrower - 1];
}

// Without this function's own frame: the depth of its caller.
[[gnu::noinline]] std::size_t depth() {
  Stack stack;
  _Unwind_Backtrace(note_frame, &stack);
  return stack.count - 1;
}

[[gnu::noinline]] void throws(void* argument) {
  static_cast<Rehearsal*>(argument)->depth = depth();
  throw 0;
}

[[gnu::noinline]] void throws_again(void* argument) {
  try {
    throw 0;
  } catch (...) {
    static_cast<Rehearsal*>(argument)->depth = depth();
    throw;
  }
}

[[gnu::noinline]] void throws_kept(void* argument) {
  std::exception_ptr kept;
  try {
    throw 0;
  } catch (...) {
    kept = std::current_exception();
  }
  static_cast<Rehearsal*>(argument)->depth = depth();
  std::rethrow_exception(std::move(kept));
}

using Way = void (*)(void*);

std::uintptr_t rehearse(Way way) {
  Rehearsal next;
  Rehearsal* const outer = std::exchange(rehearsal, &next);
  try {
    try {
      way(&next);
    } catch (const ThrowWitness&) {
      throw;  // not reached
    }
  } catch (...) {
    // Only what was noted on the way counts.
  }
  rehearsal = outer;
  return next.called_from;
}

// Made when the first trace is activated.
const std::array<std::uintptr_t, 3>& runtime_calls() {
  static const std::array<std::uintptr_t, 3> calls = {rehearse(throws), rehearse(throws_again),
                                                      rehearse(throws_kept)};
  return calls;
}

bool is_runtime_call(std::uintptr_t address) {
  for (const std::uintptr_t call : runtime_calls())
    if (call == address) return true;
  return false;
}

// Collects the stack, and starts over behind the runtime's frames.
struct Collector {
  ThrowTrace& trace;
  std::size_t walked = 0;
};

_Unwind_Reason_Code collect(_Unwind_Context* context, void* argument) {
  Collector& collector = *static_cast<Collector*>(argument);
  ThrowTrace& trace = collector.trace;
  const std::uintptr_t address = _Unwind_GetIP(context);
  if (address == 0 || trace.size == ThrowTrace::capacity) return _URC_END_OF_STACK;
  if (++collector.walked <= runtime_frames && is_runtime_call(address)) {
    trace.size = 0;
    return _URC_NO_REASON;
  }
  trace.frames[trace.size++] = reinterpret_cast<const void*>(address - 1);
  return _URC_NO_REASON;
}

}  // namespace

// The order of its virtual functions is the runtime's: two for the destructor, which std::type_info has
// already, two that do nothing, and the one that is asked.
class WitnessTypeInfo : public std::type_info {
 public:
  WitnessTypeInfo() : std::type_info("multiprocessing::ThrowWitness") {}

  virtual void noop1() const {}
  virtual void noop2() const {}
  virtual bool can_catch(const std::type_info*, void*&) const {
    if (rehearsal != nullptr) {
      if (rehearsal->called_from == 0) note_rehearsal();
      return false;
    }
    if (active_trace == nullptr || active_trace->size != 0) return false;
    Collector collector{.trace = *active_trace};
    _Unwind_Backtrace(collect, &collector);
    return false;
  }
};

#define MULTIPROCESSING_TEXT(name) #name
#define MULTIPROCESSING_TEXT_OF(name) MULTIPROCESSING_TEXT(name)

extern const WitnessTypeInfo witness_type_info __asm__(
    MULTIPROCESSING_TEXT_OF(__USER_LABEL_PREFIX__) "_ZTIN15multiprocessing8platform5posix12ThrowWitnessE");
const WitnessTypeInfo witness_type_info;

ActiveTrace::ActiveTrace(ThrowTrace& trace) noexcept : outer_(std::exchange(active_trace, &trace)) {
  runtime_calls();
}
ActiveTrace::~ActiveTrace() { active_trace = outer_; }

}  // namespace multiprocessing::platform::posix
