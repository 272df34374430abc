// The channels between a pool and its workers, and what wakes those who write to them, of which a child that
// the library forks keeps none but its own channel.
#pragma once

#include <memory>
#include <utility>

#include "contract/channel.hpp"
#include "contract/wait.hpp"

namespace multiprocessing::runtime {

/// The pool's end and a worker's. Opened and closed with the registry's mutex held, so that no fork sees the
/// number of one that is closed: do not let go of the last reference with it held. Throws OSError.
[[nodiscard]] std::pair<std::shared_ptr<platform::Channel>, std::shared_ptr<platform::Channel>>
open_pool_channel();

/// As they are opened and closed. Throws OSError.
[[nodiscard]] std::shared_ptr<platform::Wakeup> open_pool_wakeup();

/// While this lives a child that this thread forks keeps `channel`.
class KeptByChild {
 public:
  explicit KeptByChild(const platform::Channel& channel) noexcept;
  KeptByChild(const KeptByChild&) = delete;
  KeptByChild& operator=(const KeptByChild&) = delete;
  ~KeptByChild();
};

}  // namespace multiprocessing::runtime
