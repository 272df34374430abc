// Throw traces, the part that does not depend on the C++ runtime: names of types. The recording itself is
// in libstdcxx/ or libcxx/, by the standard library of the build.
#include "contract/throw_trace.hpp"

#include <cxxabi.h>

#include "mapped_images.hpp"

namespace multiprocessing::platform {

std::string demangled_type_name(const std::type_info& type) { return posix::demangle(type.name()); }

std::string current_exception_type_name() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  return type != nullptr ? demangled_type_name(*type) : std::string();
}

}  // namespace multiprocessing::platform
