// Whoever waits for a result takes what has come himself, for moments, before he sleeps: a result that goes
// by way of the reactor's thread costs one more sleeper who has to be woken. Where that does not pay (long
// tasks, one processor) it becomes seldom, as for all waits; see support/attention.hpp.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>

#include "contract/look.hpp"
#include "pool/pool_core.hpp"
#include "support/deadline.hpp"

namespace multiprocessing::detail {
namespace {

/// No mutex: what is delivered may run a callback here, which may ask for a result of this pool.
struct TurnEnd {
  std::atomic<bool>& taken;
  ~TurnEnd() { taken.store(false, std::memory_order_release); }
};

}  // namespace

void PoolCore::look(const std::function<bool()>& found, Duration timeout) noexcept try {
  if (looking_.exchange(true, std::memory_order_acquire)) return;  // one is enough: he takes all results
  const TurnEnd end{looking_};
  auto look = attention_.next();
  if (look.at_most <= look.at_most.zero() || !owned() || !platform::may_look()) return;
  const auto until = std::min(runtime::deadline_after(timeout), platform::Deadline::after(look.at_most));
  look.outcome = platform::Look::Outcome::in_vain;
  bool over = false;
  while (!over) {
    const bool took = collect();
    over = until.expired();
    if (!found()) continue;
    // Who was put off the processor meanwhile, or was told by the reactor, did not get it by looking.
    if (took && !over) look.outcome = platform::Look::Outcome::paid;
    break;
  }
  attention_.note(look);
} catch (const std::bad_alloc&) {
  // The reactor's thread goes on.
}

/// What lies in the channels, if nobody else is at it; whether there was anything.
bool PoolCore::collect() {
  Deliveries deliveries;
  {
    std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return false;
    for (const auto& worker : workers_)
      if (!worker->gone && !worker->doomed && !worker->sent.empty() && !read_results(worker, deliveries))
        give_up(worker);
    // Its reader has it all, so that no input is seen: nobody else would give that worker its next chunk.
    if (!deliveries.took_frame) return false;
    dispatch_and_write(deliveries, lock);
  }
  deliver(deliveries);
  return true;
}

}  // namespace multiprocessing::detail
