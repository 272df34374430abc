// Calls whose results the reactor brings: how many there are, so that the end of the program can wait for
// what their ends are to tell.
#pragma once

#include "contract/clock.hpp"

namespace multiprocessing::runtime {

/// One call, from its making to the moment at which its future has been told.
class CallUnderWay {
 public:
  CallUnderWay();
  CallUnderWay(const CallUnderWay&) = delete;
  CallUnderWay& operator=(const CallUnderWay&) = delete;
  ~CallUnderWay();

 private:
  int owner_;  ///< a forked child has copies of its parent's
};

/// Until there are none, or the time is over. The processes of all have ended.
void wait_for_calls(platform::Deadline deadline);

}  // namespace multiprocessing::runtime
