// What a call of the platform answers when there is no memory even for its arguments: most of them take a
// function, and whoever makes that throws before the call begins.
#pragma once

#include <new>

#include "contract/error.hpp"

namespace multiprocessing::runtime {

/// Makes the call, arguments and all. Without memory it is the failure that the call documents.
template <class Call>
auto or_out_of_memory(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return platform::Error{platform::Condition::out_of_memory, 0, "operator new"};
  }
}

}  // namespace multiprocessing::runtime
