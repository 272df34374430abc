// Where an exception was thrown: recorded at the throw, because after unwinding nobody can see it any
// more. Also the names of exception types, for exceptions that say nothing else about themselves.
#pragma once

#include <cstddef>
#include <string>
#include <typeinfo>

namespace multiprocessing::platform {

/// The stack at a throw, innermost frame first: the function that threw stands at `frames[0]`, the
/// runtime's own frames are left out where the system can tell them. Each address lies inside the calling
/// instruction, see FrameLocation.
struct ThrowTrace {
  static constexpr std::size_t capacity = 64;
  std::size_t size = 0;  ///< 0: nothing was thrown, or the system cannot tell
  const void* frames[capacity] = {};
};

/// Whether `call_traced` fills traces here. Where it is false everything else works as described.
[[nodiscard]] bool throw_traces_supported() noexcept;

/// Calls `function(argument)`. An exception that leaves it goes on to the caller unchanged, and `trace`
/// then holds the stack of its throw. An exception that was caught on its way and thrown again (`throw;`,
/// `std::rethrow_exception`) shows the last throw. Exceptions that are caught inside leave no trace.
/// Where calls are nested on one thread, and an exception passes both, the inner trace is exact and the
/// outer one may show where the inner call was made.
/// Thread-safe. Records without allocating.
void call_traced(void (*function)(void*), void* argument, ThrowTrace& trace);

/// The type's name as it is written in source, "std::out_of_range"; the raw name where it cannot be
/// demangled.
[[nodiscard]] std::string demangled_type_name(const std::type_info& type);

/// The type's name of the exception that is being handled, whatever it is; empty outside of a handler,
/// or where the system cannot tell ("..." that is not a C++ exception, types without RTTI).
[[nodiscard]] std::string current_exception_type_name();

}  // namespace multiprocessing::platform
