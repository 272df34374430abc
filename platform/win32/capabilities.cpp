// What Windows can do. Sentinels are process handles, of any process that the user may open; handles
// travel by DuplicateHandle; children end with their parent's job object. There is no fork, no signals but
// two exit codes that stand for them, and a named pipe has no half that could be closed alone, and forgets
// what nobody read of it. A file that runs cannot be replaced, only renamed, and the path then names what
// took its place.
#include "contract/capabilities.hpp"

#include "contract/throw_trace.hpp"
#include "stack_walk.hpp"

namespace multiprocessing::platform {

const Capabilities& capabilities() noexcept {
  static const Capabilities windows = {
      .system = "windows",
      .fork = false,
      .fork_is_default = false,
      .signals = false,
      .exact_sentinels = true,
      .foreign_sentinels = true,
      .kept_wait_sets = true,
      .half_close = false,
      .tells_unread = false,
      .tells_abandoned = true,
      .handle_transfer = true,
      .transfer_keeps_handles = true,
      .drops_unreceived_handles = false,
      .child_handover = false,
      .ends_children = true,
      .memory_limits = true,
      .throw_traces = throw_traces_supported(),
      .crash_stacks = win32::stacks_are_walked(),
      .symbol_names = true,
      .replaced_executable = false,
  };
  return windows;
}

}  // namespace multiprocessing::platform
