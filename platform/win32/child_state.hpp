// What this process knows of one child.
#pragma once

#include "contract/process.hpp"

namespace multiprocessing::platform {

class ChildProcess::State {
 public:
  State(Handle handle, int id) noexcept : process(std::move(handle)), pid(id) {}
  const Handle process;
  const int pid;
};

}  // namespace multiprocessing::platform
