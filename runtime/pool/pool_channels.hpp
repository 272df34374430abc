// The channels between a pool and its workers, of which a child that the library forks keeps none but its
// own.
#pragma once

#include <memory>
#include <utility>

#include "contract/channel.hpp"

namespace multiprocessing::runtime {

/// The pool's end and a worker's. Opened and closed with the registry's mutex held, so that no fork sees the
/// number of one that is closed: do not let go of the last reference with it held. Throws OSError.
[[nodiscard]] std::pair<std::shared_ptr<platform::Channel>, std::shared_ptr<platform::Channel>>
open_pool_channel();

/// While this lives a child that this thread forks keeps `channel`.
class KeptByChild {
 public:
  explicit KeptByChild(const platform::Channel& channel) noexcept;
  KeptByChild(const KeptByChild&) = delete;
  KeptByChild& operator=(const KeptByChild&) = delete;
  ~KeptByChild();
};

}  // namespace multiprocessing::runtime
