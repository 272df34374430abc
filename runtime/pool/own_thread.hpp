// A thread of the library that comes and goes.
#pragma once

#include "launch/self.hpp"

namespace multiprocessing::runtime {

/// Counts the thread that it lives in as one of ours: a fork needs no warning of it.
class OwnThread {
 public:
  OwnThread() noexcept { self().add_own_thread(); }
  OwnThread(const OwnThread&) = delete;
  OwnThread& operator=(const OwnThread&) = delete;
  ~OwnThread() { self().remove_own_thread(); }
};

}  // namespace multiprocessing::runtime
