// From what the platform reports to what the library throws. Which condition becomes which exception is
// decided in errors.cpp and nowhere else.
#pragma once

#include <string_view>
#include <utility>

#include "contract/error.hpp"

namespace multiprocessing::runtime {

/// Throws what stands for the error. `object` is the file, process or name that the call was about, as a
/// person would write it; it may be empty. The text is "call 'object': message in the system's words".
///
/// cancelled → CancelledError, timed_out → TimeoutError, broken → ConnectionError (an OSError); all else →
/// OSError, not_supported and invalid_argument too: it is the system that refuses. An argument that is wrong
/// by our own rules never gets this far: it is a ValueError of the function that checks it.
[[noreturn]] void throw_os_error(const platform::Error& error, std::string_view object = {});

/// The value, or throws as throw_os_error().
template <class T>
T value_or_throw(platform::Result<T> result, std::string_view object = {}) {
  if (!result) throw_os_error(result.error(), object);
  return *std::move(result);
}

inline void value_or_throw(const platform::Status& status, std::string_view object = {}) {
  if (!status) throw_os_error(status.error(), object);
}

}  // namespace multiprocessing::runtime
