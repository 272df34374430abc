// Counting calls. The count belongs to one process: a forked child begins at none.
#include "launch/calls_under_way.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "contract/process.hpp"

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

}  // namespace

CallUnderWay::CallUnderWay() : owner_(platform::current_pid()) {
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

void wait_for_calls(platform::Deadline deadline) {
  auto* const count = current_count.load();
  if (count == nullptr || count->owner != platform::current_pid()) return;
  std::unique_lock lock(count->mutex);
  while (count->calls > 0 && !deadline.expired()) {
    constexpr std::chrono::nanoseconds slice = std::chrono::hours(1);
    count->changed.wait_for(lock, deadline.is_never() ? slice : std::min(deadline.remaining(), slice));
  }
}

}  // namespace multiprocessing::runtime
