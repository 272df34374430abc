// Nothing works here. A port begins by making one capability after the other true.
#include "contract/capabilities.hpp"

namespace multiprocessing::platform {

const Capabilities& capabilities() noexcept {
  static constexpr Capabilities none = {.system = "stub",
                                        .fork = false,
                                        .fork_is_default = false,
                                        .signals = false,
                                        .exact_sentinels = false,
                                        .foreign_sentinels = false,
                                        .kept_wait_sets = false,
                                        .half_close = false,
                                        .tells_unread = false,
                                        .tells_abandoned = false,
                                        .handle_transfer = false,
                                        .transfer_keeps_handles = false,
                                        .drops_unreceived_handles = false,
                                        .child_handover = false,
                                        .ends_children = false,
                                        .memory_limits = false,
                                        .throw_traces = false,
                                        .crash_stacks = false,
                                        .symbol_names = false,
                                        .replaced_executable = false};
  return none;
}

}  // namespace multiprocessing::platform
