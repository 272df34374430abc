// The one event loop, and what a fork does to it and to the rest of this folder.
#include "support/reactor.hpp"

#include <multiprocessing/errors.hpp>

#include <atomic>
#include <mutex>

#include "support/callbacks.hpp"
#include "support/errors.hpp"
#include "support/kept_handles.hpp"
#include "support/log.hpp"
#include "support/wait.hpp"

namespace multiprocessing::runtime {
namespace {

/// The loop, if there is one. Never destroyed, since nobody knows who still uses it when static objects go.
struct Slot {
  std::mutex mutex;  ///< held while a loop is made, and while one forks
  std::atomic<platform::EventLoop*> loop = nullptr;
};

Slot& slot() {
  static Slot& instance = *new Slot;
  return instance;
}

}  // namespace

platform::EventLoop& reactor() { return *value_or_throw(find_reactor()); }

platform::Result<platform::EventLoop*> find_reactor() {
  if (platform::EventLoop* loop = slot().loop.load(std::memory_order_acquire)) return loop;
  const std::lock_guard lock(slot().mutex);
  if (platform::EventLoop* loop = slot().loop.load(std::memory_order_relaxed)) return loop;
  auto made = platform::EventLoop::create();
  if (!made) return made.error();
  platform::EventLoop* loop = made->release();
  slot().loop.store(loop, std::memory_order_release);
  return loop;
}

bool reactor_runs() noexcept { return slot().loop.load(std::memory_order_acquire) != nullptr; }

bool in_reactor_thread() noexcept {
  const platform::EventLoop* loop = slot().loop.load(std::memory_order_acquire);
  return loop != nullptr && loop->in_loop_thread();
}

ForkGuard::ForkGuard() {
  if (in_reactor_thread())
    throw RuntimeError(
        "a process cannot be forked in the thread of this library's event loop, which has to rest meanwhile");
  drop_kept_wait_set();
  slot().mutex.lock();
  loop_ = slot().loop.load(std::memory_order_relaxed);
  // First the loop, then the others: what it waits for may want to log, or to call back.
  if (loop_ != nullptr) loop_->quiesce();
  lock_callbacks();
  lock_log();
  lock_kept_handles();
}

ForkGuard::~ForkGuard() {
  if (!done_) in_parent();
}

void ForkGuard::in_parent() noexcept {
  if (loop_ != nullptr) loop_->resume();
  unlock_kept_handles();
  unlock_log();
  unlock_callbacks();
  slot().mutex.unlock();
  done_ = true;
}

void ForkGuard::in_child() noexcept {
  // Not destroyed: that would run the destructors of callbacks that belong to the parent.
  if (loop_ != nullptr) loop_->abandon_in_child();
  slot().loop.store(nullptr, std::memory_order_release);
  abandon_kept_handles();
  unlock_log_in_child();
  abandon_callbacks();
  slot().mutex.unlock();
  done_ = true;
}

}  // namespace multiprocessing::runtime
