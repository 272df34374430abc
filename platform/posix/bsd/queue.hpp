// A new kqueue.
#pragma once

#include "contract/handle.hpp"

namespace multiprocessing::platform::posix {

/// Close-on-exec; a forked child does not get it at all.
[[nodiscard]] Result<Handle> make_queue() noexcept;

}  // namespace multiprocessing::platform::posix
