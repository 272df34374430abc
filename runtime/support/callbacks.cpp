// The callback thread: a queue, made at first use and never destroyed.
#include "support/callbacks.hpp"

#include <multiprocessing/errors.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "contract/process.hpp"
#include "contract/system.hpp"

namespace multiprocessing::runtime {
namespace {

struct Queue {
  int maker = platform::current_pid();
  std::mutex mutex;  ///< never held while a callback runs or is destroyed
  std::condition_variable filled;
  std::condition_variable emptied;  ///< a callback has returned
  std::deque<std::function<void()>> waiting;
  std::uint64_t pushed = 0;
  std::uint64_t done = 0;
  bool thread_runs = false;
  std::thread::id thread;
  Queue* abandoned = nullptr;  ///< the parent's, in a forked child: who looks for leaks shall find it in use

  void run() noexcept;
  [[nodiscard]] bool push(std::function<void()>& work, detail::CallbackMark* mark);
};

/// So that who has no callbacks makes no queue when he asks for them.
std::atomic<bool> any_thread{false};

/// A forked child gets another if the old one has a thread, which is not there. Changed in a child alone, by
/// its only thread.
Queue*& queue() noexcept {
  static Queue* instance = new Queue;
  return instance;
}

void Queue::run() noexcept {
  std::unique_lock lock(mutex);
  thread = std::this_thread::get_id();
  for (;;) {
    filled.wait(lock, [&] { return !waiting.empty(); });
    auto work = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
    ++done;
    emptied.notify_all();
  }
}

/// Takes the work, unless the thread cannot be started. Throws std::bad_alloc.
bool Queue::push(std::function<void()>& work, detail::CallbackMark* mark) {
  const std::lock_guard lock(mutex);
  if (!thread_runs && !platform::run_in_background([this] { run(); })) return false;
  thread_runs = true;
  any_thread = true;
  waiting.push_back(std::move(work));
  ++pushed;
  if (mark != nullptr) mark->last = pushed;
  filled.notify_one();
  return true;
}

}  // namespace

void run_callback(std::function<void()> work, detail::CallbackMark* mark) noexcept {
  try {
    if (queue()->push(work, mark)) return;
  } catch (...) {
    // Called here rather than not at all.
  }
  if (work) work();
}

bool wait_for_callbacks(platform::Deadline deadline, const StopToken& stop,
                        const detail::CallbackMark* mark) {
  if (!any_thread) return true;
  Queue& own = *queue();
  if (own.maker != platform::current_pid()) return true;  // the application's own fork: they are the parent's
  const StopCallback wake(stop, [&] {
    const std::lock_guard lock(own.mutex);
    own.emptied.notify_all();
  });
  std::unique_lock lock(own.mutex);
  if (own.thread == std::this_thread::get_id()) return true;
  const auto last = mark != nullptr ? mark->last : own.pushed;
  while (own.done < last) {
    if (stop.stop_requested())
      throw CancelledError("waiting for callbacks was given up: a stop was requested");
    if (deadline.expired()) return false;
    constexpr std::chrono::nanoseconds slice = std::chrono::hours(1);
    own.emptied.wait_for(lock, deadline.is_never() ? slice : std::min(deadline.remaining(), slice));
  }
  return true;
}

bool callback_thread_runs() noexcept {
  const std::lock_guard lock(queue()->mutex);
  return queue()->thread_runs;
}

void lock_callbacks() noexcept { queue()->mutex.lock(); }
void unlock_callbacks() noexcept { queue()->mutex.unlock(); }
void abandon_callbacks() noexcept {
  Queue* old = queue();
  if (!old->thread_runs) {
    old->maker = platform::current_pid();
    return unlock_callbacks();
  }
  queue() = new Queue;
  queue()->abandoned = old;
}

}  // namespace multiprocessing::runtime
