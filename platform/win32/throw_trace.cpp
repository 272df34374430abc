// Names of exceptions' types; the stack of a throw is in call_traced.cpp. gcc's runtime knows the type of
// whatever is being handled; MSVC's tells it only of exceptions derived from std::exception.
#include "contract/throw_trace.hpp"

#include <exception>

#include "demangle.hpp"

#if defined(_MSC_VER)
#include <string_view>
#else
#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#endif

namespace multiprocessing::platform {

#if defined(_MSC_VER)

std::string demangled_type_name(const std::type_info& type) {
  std::string name = type.name();  // in source form already, with a keyword before each class
  for (const std::string_view keyword : {"class ", "struct ", "enum ", "union "}) {
    for (auto at = name.find(keyword); at != std::string::npos; at = name.find(keyword, at)) {
      name.erase(at, keyword.size());
    }
  }
  return name;
}

std::string win32::demangle(const char* name) { return name; }

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

#else

std::string win32::demangle(const char* name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                    &std::free);
  return status == 0 && text ? text.get() : name;
}

std::string demangled_type_name(const std::type_info& type) { return win32::demangle(type.name()); }

std::string current_exception_type_name() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  return type != nullptr ? demangled_type_name(*type) : std::string();
}

#endif

}  // namespace multiprocessing::platform
