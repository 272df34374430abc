// Looking by many reads, which a fault plan must be able to forbid: so it is no inline function.
#include "contract/look.hpp"

#include "contract/fault.hpp"

namespace multiprocessing::platform {

bool may_look() noexcept { return !fault_is_due(Call::channel_read); }

}  // namespace multiprocessing::platform
