// The type_info that watches exceptions pass; see call_traced.cpp. It is defined under the linker's name of
// ThrowWitness's type_info and in a file of its own, because a compiler that sees both takes it for a
// mistake. The search asks once for each exception that leaves a traced call; unwinding asks again, when
// the stack is gone, so what was recorded first stays.
#include "throw_witness.hpp"

#include <cstdint>
#include <utility>

#include <dlfcn.h>
#include <unwind.h>

// The function of the C++ runtime that reads a frame's catch clauses, with the parameters that the compiler
// itself declares it with: link-time optimisation compares.
extern "C" unsigned __gxx_personality_v0(int, int, unsigned long long, void*, void*);

namespace multiprocessing::platform::posix {
namespace {

thread_local ThrowTrace* active_trace = nullptr;

// Where a function of the runtime starts. In a position-dependent program its name is that of a stub, and
// the next definition that the loader knows is the real one; in a static program there is no next.
class RuntimeFunction {
 public:
  RuntimeFunction(const char* name, std::uintptr_t here)
      : here_(here), next_(reinterpret_cast<std::uintptr_t>(::dlsym(RTLD_NEXT, name))) {}
  [[nodiscard]] bool starts_at(std::uintptr_t address) const { return address == here_ || address == next_; }

 private:
  std::uintptr_t here_, next_;
};

// The frames between a throw and us are the runtime's: the personality routine, which calls us; the
// unwinder, in one function or, for a rethrow, in two; the function that threw. Only these two are known by
// address: sanitizers put functions of their own in the place of the others.
struct Runtime {
  RuntimeFunction personality{"__gxx_personality_v0",
                              reinterpret_cast<std::uintptr_t>(&__gxx_personality_v0)};
  RuntimeFunction rethrow{"_Unwind_Resume_or_Rethrow",
                          reinterpret_cast<std::uintptr_t>(&_Unwind_Resume_or_Rethrow)};
};

// Made when the first trace is activated, so that a throw never waits for the loader.
const Runtime& runtime() {
  static const Runtime functions;
  return functions;
}

// Collects the stack, and starts over behind the runtime's frames.
struct Collector {
  static constexpr std::size_t runtime_frames = 12;  // more than there ever are
  ThrowTrace& trace;
  std::size_t walked = 0;
  std::size_t to_skip = 0;
};

_Unwind_Reason_Code collect(_Unwind_Context* context, void* argument) {
  Collector& collector = *static_cast<Collector*>(argument);
  ThrowTrace& trace = collector.trace;
  if (trace.size == ThrowTrace::capacity) return _URC_END_OF_STACK;
  int before_instruction = 0;
  const std::uintptr_t address = _Unwind_GetIPInfo(context, &before_instruction);
  if (address == 0) return _URC_END_OF_STACK;
  if (++collector.walked <= Collector::runtime_frames) {
    const std::uintptr_t function = _Unwind_GetRegionStart(context);
    if (runtime().personality.starts_at(function)) collector.to_skip = 3;  // this, unwinder, thrower
    if (runtime().rethrow.starts_at(function)) collector.to_skip = 2;      // this, thrower
  }
  if (collector.to_skip > 0) {
    --collector.to_skip;
    trace.size = 0;
    return _URC_NO_REASON;
  }
  trace.frames[trace.size++] = reinterpret_cast<const void*>(before_instruction != 0 ? address : address - 1);
  return _URC_NO_REASON;
}

}  // namespace

class WitnessTypeInfo final : public std::type_info {
 public:
  WitnessTypeInfo() : std::type_info("multiprocessing::ThrowWitness") {}

  bool __do_catch(const std::type_info*, void**, unsigned) const override {
    if (active_trace == nullptr || active_trace->size != 0) return false;
    Collector collector{.trace = *active_trace};
    _Unwind_Backtrace(collect, &collector);
    return false;
  }
};

// Its constructor is no constant expression in every version, so it runs before those of applications.
extern const WitnessTypeInfo witness_type_info __asm__(
    "_ZTIN15multiprocessing8platform5posix12ThrowWitnessE");
__attribute__((init_priority(101))) const WitnessTypeInfo witness_type_info;

ActiveTrace::ActiveTrace(ThrowTrace& trace) noexcept : outer_(std::exchange(active_trace, &trace)) {
  runtime();
}
ActiveTrace::~ActiveTrace() { active_trace = outer_; }

}  // namespace multiprocessing::platform::posix
