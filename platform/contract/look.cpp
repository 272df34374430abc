#include "contract/look.hpp"

#include "contract/fault.hpp"

namespace multiprocessing::platform {

bool may_look() noexcept { return !fault_is_due(Call::channel_read); }

}  // namespace multiprocessing::platform
