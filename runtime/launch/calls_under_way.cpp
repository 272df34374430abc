// Counting calls. The count belongs to one process: a forked child begins at none.
#include "launch/calls_under_way.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "contract/clock.hpp"
#include "contract/process.hpp"
#include "launch/exit_rule.hpp"
#include "support/callbacks.hpp"

namespace multiprocessing::runtime {
namespace {

struct Count {
  const int owner = platform::current_pid();
  std::mutex mutex;
  std::condition_variable changed;
  int calls = 0;
};

/// Never destroyed. A forked child, in which another thread of its parent may hold the mutex, makes its own.
std::atomic<Count*> current_count{nullptr};

Count& own_count() {
  auto* found = current_count.load();
  if (found != nullptr && found->owner == platform::current_pid()) return *found;
  auto* const fresh = new Count;
  if (current_count.compare_exchange_strong(found, fresh)) return *fresh;
  delete fresh;
  return *found;
}

void wait_for_calls(platform::Deadline deadline) {
  auto* const count = current_count.load();
  if (count == nullptr || count->owner != platform::current_pid()) return;
  std::unique_lock lock(count->mutex);
  while (count->calls > 0 && !deadline.expired()) count->changed.wait_for(lock, deadline.remaining());
}

void settle_results() {
  constexpr std::chrono::seconds grace(5);
  const auto deadline = platform::Deadline::after(grace);
  wait_for_calls(deadline);
  wait_for_callbacks(deadline, {});
}

}  // namespace

CallUnderWay::CallUnderWay() : owner_(platform::current_pid()) {
  settle_results_at_exit();
  auto& count = own_count();
  const std::lock_guard lock(count.mutex);
  ++count.calls;
}

CallUnderWay::~CallUnderWay() {
  if (owner_ != platform::current_pid()) return;
  auto& count = *current_count.load();
  const std::lock_guard lock(count.mutex);
  --count.calls;
  count.changed.notify_all();
}

void settle_results_at_exit() noexcept { after_exit_rule(&settle_results); }

}  // namespace multiprocessing::runtime
