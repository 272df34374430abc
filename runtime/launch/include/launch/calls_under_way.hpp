// Calls whose results the reactor brings: how many there are, so that the end of the program can wait for
// what their ends are to tell.
#pragma once

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

/// From now on the end of the program waits, once its children have ended, until calls have told their
/// results and callbacks have returned: what follows destroys the objects that they use. Five seconds at
/// most.
void settle_results_at_exit() noexcept;

}  // namespace multiprocessing::runtime
