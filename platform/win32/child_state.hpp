// What this process knows of one child.
#pragma once

#include "contract/process.hpp"

namespace multiprocessing::platform {

class ChildProcess::State {
 public:
  Handle process;
  int pid = 0;
};

}  // namespace multiprocessing::platform
