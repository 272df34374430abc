// The kernel object behind a WaitSet: epoll (linux/epoll.cpp), kqueue (bsd/kqueue.cpp), or a list for poll()
// (poll_set.cpp).
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "contract/clock.hpp"
#include "contract/handle.hpp"

namespace multiprocessing::platform::posix {

class KeptSet {
 public:
  virtual ~KeptSet() = default;
  /// Takes the memory that a wait needs for it, too. Errors: invalid_argument, already_exists, out_of_memory,
  /// out_of_handles; throws std::bad_alloc, and nothing has happened then.
  [[nodiscard]] virtual Status add(int fd, std::size_t key) = 0;
  /// The descriptor is in the set.
  virtual void remove(int fd) noexcept = 0;
  /// Waits once, at most until the deadline, for some of the descriptors; a wait that was interrupted finds
  /// none. Throws std::bad_alloc if `ready` is too small; nothing is lost by that.
  [[nodiscard]] virtual Status wait(std::vector<std::size_t>& ready, Deadline deadline) = 0;
};

/// Whether waiting costs what is ready, not what is in the set; "no-epoll" takes it away.
[[nodiscard]] bool kernel_keeps_sets() noexcept;
/// What the kernel has; only if kernel_keeps_sets().
[[nodiscard]] Result<std::unique_ptr<KeptSet>> make_kernel_set();
[[nodiscard]] std::unique_ptr<KeptSet> make_poll_set();

}  // namespace multiprocessing::platform::posix
