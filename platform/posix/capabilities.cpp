// What this backend can do: asked of the parts that know, once. What is a property of the system as such
// comes from the leaf's system_facts.hpp.
#include "contract/capabilities.hpp"

#include "contract/fault.hpp"
#include "contract/throw_trace.hpp"
#include "kept_set.hpp"
#include "replaced_executable.hpp"
#include "sentinel.hpp"
#include "system_facts.hpp"

namespace multiprocessing::platform {
namespace {

Capabilities find_out() {
  Capabilities found{};
  found.system = posix::facts::system;
  found.fork = true;
  found.fork_is_default = posix::facts::fork_is_default;
  found.signals = true;
  found.exact_sentinels = posix::exact_sentinels();
  found.foreign_sentinels = posix::exact_sentinels();
  found.kept_wait_sets = posix::kernel_keeps_sets();
  found.half_close = true;
  found.tells_unread = posix::facts::tells_unread && !forced("no-unread-notice");
  found.tells_abandoned = posix::facts::tells_abandoned && !forced("no-abandoned-notice");
  found.handle_transfer = true;
  found.transfer_keeps_handles = posix::facts::transfer_keeps_handles && !forced("no-kept-handles");
  found.drops_unreceived_handles = true;
  found.child_handover = true;
  found.ends_children = false;  // PR_SET_PDEATHSIG fires when the thread ends that started the child
  found.memory_limits = posix::facts::memory_resource.has_value();
  found.throw_traces = throw_traces_supported();
  found.crash_stacks = posix::facts::crash_stacks;
  found.symbol_names = posix::facts::symbol_names;
  found.replaced_executable = posix::replaced_executable_starts();
  return found;
}

}  // namespace

const Capabilities& capabilities() noexcept {
  static const Capabilities found = find_out();
  return found;
}

}  // namespace multiprocessing::platform
