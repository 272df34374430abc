// The type whose type_info watches exceptions pass. Leaves: libstdcxx/, libcxx/.
#pragma once

#include "contract/throw_trace.hpp"

namespace multiprocessing::platform::posix {

/// Never thrown. The destructor is declared and never defined, so that no compiler emits a type_info for
/// this type: ours, in the leaf, takes that place.
class ThrowWitness {
 public:
  virtual ~ThrowWitness();
};

/// Makes `trace` the one that the next exception of this thread is recorded in, until it goes.
class ActiveTrace {
 public:
  explicit ActiveTrace(ThrowTrace& trace) noexcept;
  ActiveTrace(const ActiveTrace&) = delete;
  ActiveTrace& operator=(const ActiveTrace&) = delete;
  ~ActiveTrace();

 private:
  ThrowTrace* outer_;
};

}  // namespace multiprocessing::platform::posix
