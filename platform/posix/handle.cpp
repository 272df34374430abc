// Handles are descriptors: close and fcntl(F_DUPFD_CLOEXEC). A close that is interrupted has closed on
// Linux, and may or may not have elsewhere: it is never repeated, because by then the number may be another
// thread's. Manual pages: close(2), fcntl(2).
#include "contract/handle.hpp"

#include <cerrno>
#include <limits>

#include <unistd.h>

#include "contract/fault.hpp"
#include "descriptor.hpp"

namespace multiprocessing::platform {

static_assert(sizeof(RawHandle) >= sizeof(int));

void close_handle(RawHandle handle) noexcept {
  const int saved = errno;
  ::close(posix::to_fd(handle));
  errno = saved;
}

Result<RawHandle> duplicate_handle(RawHandle handle) noexcept {
  if (auto failure = fault_point(Call::duplicate_handle)) return *failure;
  if (handle < 0 || handle > std::numeric_limits<int>::max())
    return Error{Condition::invalid_argument, EBADF, "duplicate_handle"};
  auto copy = posix::duplicate(posix::to_fd(handle));
  if (!copy) return copy.error();
  return copy->release();
}

}  // namespace multiprocessing::platform
