// Exceptions: their types as the compiler names them.
#include "contract/throw_trace.hpp"

#include <exception>

namespace multiprocessing::platform {

bool throw_traces_supported() noexcept { return false; }

void call_traced(void (*function)(void*), void* argument, ThrowTrace& trace) {
  trace.size = 0;
  function(argument);
}

std::string demangled_type_name(const std::type_info& type) { return type.name(); }

std::string current_exception_type_name() {
  if (std::current_exception() == nullptr) return {};
  try {
    throw;
  } catch (const std::exception& exception) {
    return demangled_type_name(typeid(exception));
  } catch (...) {
    return {};
  }
}

}  // namespace multiprocessing::platform
