// Starting a program on FreeBSD: by fork() and a pipe. Manual page: fork(2).
#include "start.hpp"

namespace multiprocessing::platform::posix {

Result<StartedChild> start_child(ChildSide& side) { return start_by_fork(side); }

}  // namespace multiprocessing::platform::posix
