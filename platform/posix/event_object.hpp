// One descriptor that becomes readable when eight bytes are written to it. Leaf: linux/eventfd.cpp.
#pragma once

#include "contract/handle.hpp"

namespace multiprocessing::platform::posix {

/// Not blocking; empty where there is no such thing.
[[nodiscard]] Result<Handle> make_event_object() noexcept;

}  // namespace multiprocessing::platform::posix
