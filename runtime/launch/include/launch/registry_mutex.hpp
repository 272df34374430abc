// The one mutex of all process states. Never held while anything blocks, logs or calls users' code.
//
// The order of the runtime's locks. Who holds one may take those below it, and none above; a fork takes all
// but Self's, from the top:
//
//   1. the reactor's slot, held by one fork at a time; then the reactor rests
//   2. the queue of the callback thread
//   3. the log's sink (a fork gives up waiting for it), then the log
//   4. registry_mutex()
//   5. those that cover a few lines which take no other lock: Self's, a future's, a stop token's, a time
//      limit's. They are not held while anything of 1 to 4 is called.
#pragma once

#include <mutex>

namespace multiprocessing::runtime {

[[nodiscard]] std::mutex& registry_mutex() noexcept;

}  // namespace multiprocessing::runtime
