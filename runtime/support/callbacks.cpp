// The callback thread: a queue, made at first use and never destroyed.
#include "support/callbacks.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "contract/system.hpp"

namespace multiprocessing::runtime {
namespace {

struct Queue {
  std::mutex mutex;  ///< never held while a callback runs or is destroyed
  std::condition_variable filled;
  std::deque<std::function<void()>> waiting;
  bool thread_runs = false;
  Queue* abandoned = nullptr;  ///< the parent's, in a forked child: who looks for leaks shall find it in use

  void run() noexcept;
  [[nodiscard]] bool push(std::function<void()>& work);
};

/// A forked child gets another if the old one has a thread, which is not there. Changed in a child alone, by
/// its only thread.
Queue*& queue() noexcept {
  static Queue* instance = new Queue;
  return instance;
}

void Queue::run() noexcept {
  for (;;) {
    std::unique_lock lock(mutex);
    filled.wait(lock, [&] { return !waiting.empty(); });
    const auto work = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    work();
  }
}

/// Takes the work, unless the thread cannot be started. Throws std::bad_alloc.
bool Queue::push(std::function<void()>& work) {
  const std::lock_guard lock(mutex);
  if (!thread_runs && !platform::run_in_background([this] { run(); })) return false;
  thread_runs = true;
  waiting.push_back(std::move(work));
  filled.notify_one();
  return true;
}

}  // namespace

void run_callback(std::function<void()> work) noexcept {
  try {
    if (queue()->push(work)) return;
  } catch (...) {
    // Called here rather than not at all.
  }
  if (work) work();
}

bool callback_thread_runs() noexcept {
  const std::lock_guard lock(queue()->mutex);
  return queue()->thread_runs;
}

void lock_callbacks() noexcept { queue()->mutex.lock(); }
void unlock_callbacks() noexcept { queue()->mutex.unlock(); }
void abandon_callbacks() noexcept {
  Queue* old = queue();
  if (!old->thread_runs) return unlock_callbacks();
  queue() = new Queue;
  queue()->abandoned = old;
}

}  // namespace multiprocessing::runtime
