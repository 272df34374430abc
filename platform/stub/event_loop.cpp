// A loop that never starts.
#include "contract/event_loop.hpp"

#include "contract/fault.hpp"
#include "not_supported.hpp"

namespace multiprocessing::platform {

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  if (const auto fault = fault_point(Call::event_loop_create)) return *fault;
  return not_supported("EventLoop::create");
}

}  // namespace multiprocessing::platform
