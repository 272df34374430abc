// A Wakeup of one descriptor: an eventfd. "no-eventfd" takes it away. Manual page: eventfd(2).
#include <sys/eventfd.h>

#include "contract/fault.hpp"
#include "descriptor.hpp"
#include "event_object.hpp"

namespace multiprocessing::platform::posix {

Result<Handle> make_event_object() noexcept {
  if (forced("no-eventfd")) return Handle();
  return above_standard(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
}

}  // namespace multiprocessing::platform::posix
