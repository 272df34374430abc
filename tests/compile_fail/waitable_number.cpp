// expect-gcc: use of deleted function
// expect-clang: overload resolution selected deleted operator
#include <multiprocessing/wait.hpp>

bool compare(multiprocessing::Waitable waitable, multiprocessing::NativeHandle handle) {
  bool same = waitable == handle && handle == waitable;
#if !defined(MULTIPROCESSING_CONTROL)
  same = same || waitable == 5;
#endif
  return same;
}
