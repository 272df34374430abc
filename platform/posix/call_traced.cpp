// Throw traces by the Itanium C++ ABI. A throw first searches for a handler, with the stack still whole, and
// asks the type_info of every catch clause on its way. The clause below catches a type whose type_info
// (libstdcxx/ or libcxx/, by the runtime of the build) notes the stack when it is asked, and says no; the
// search goes on as if it were not there. An exception that is handled further in never gets here.
// https://itanium-cxx-abi.github.io/cxx-abi/abi-eh.html, 1.3 and 2.5
#include "throw_witness.hpp"

namespace multiprocessing::platform {

bool throw_traces_supported() noexcept { return true; }

void call_traced(void (*function)(void*), void* argument, ThrowTrace& trace) {
  trace.size = 0;
  const posix::ActiveTrace active(trace);
  try {
    function(argument);
  } catch (const posix::ThrowWitness&) {
    throw;  // not reached
  }
}

}  // namespace multiprocessing::platform
