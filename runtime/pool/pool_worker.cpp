// Writing to a worker without ever waiting for it: little at once, what is more in a thread of its own.
#include "pool/pool_worker.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "support/errors.hpp"

namespace multiprocessing::runtime {
namespace {

// What a channel takes in although its reader is asleep, on every system.
constexpr std::size_t written_at_once = 32 * 1024;

}  // namespace

struct Feeder::State {
  std::shared_ptr<platform::Channel> channel;
  platform::Wakeup give_up;
  mutable std::mutex mutex;
  std::deque<std::vector<std::byte>> queue;
  bool running = false;
  bool broken = false;
};

Feeder::Feeder(std::shared_ptr<platform::Channel> channel) : state_(std::make_shared<State>()) {
  state_->channel = std::move(channel);
  state_->give_up = value_or_throw(platform::Wakeup::create(), "a pool");
}

void Feeder::push(std::vector<std::byte> bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->queue.push_back(std::move(bytes));
  if (state_->running) return;
  value_or_throw(platform::run_in_background([self = shared_from_this()] { self->run(); }),
                 "a thread that writes to a worker");
  state_->running = true;
}

void Feeder::run() noexcept {
  for (;;) {
    std::vector<std::byte> bytes;
    {
      const std::lock_guard lock(state_->mutex);
      if (state_->queue.empty() || state_->broken) {
        state_->queue.clear();
        state_->running = false;
        return;
      }
      bytes = std::move(state_->queue.front());
      state_->queue.pop_front();
    }
    const auto written = state_->channel->write_all(bytes, platform::Deadline::never(), &state_->give_up);
    if (written) continue;
    // Whoever reads no more has ended, or closed its end; the pool sees either by itself.
    const std::lock_guard lock(state_->mutex);
    state_->broken = true;
  }
}

bool Feeder::busy() const {
  const std::lock_guard lock(state_->mutex);
  return state_->running;
}

void Feeder::abandon() noexcept {
  {
    const std::lock_guard lock(state_->mutex);
    state_->broken = true;
  }
  state_->give_up.notify();
}

bool PoolWorker::flush() {
  if (out.empty()) return true;
  const bool small = unread <= written_at_once;
  if (small && (feeder == nullptr || !feeder->busy())) {
    constexpr std::chrono::seconds never_needed(1);
    const auto written = channel->write_all(out, platform::Deadline::after(never_needed));
    out.clear();
    return static_cast<bool>(written);
  }
  if (feeder == nullptr) feeder = std::make_shared<Feeder>(channel);
  feeder->push(std::exchange(out, {}));
  return true;
}

}  // namespace multiprocessing::runtime
