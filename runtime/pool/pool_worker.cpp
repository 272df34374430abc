// Writing to a worker without ever waiting for it: little at once, what is more in a thread of its own.
#include "pool/pool_worker.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <new>
#include <utility>

#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "own_thread.hpp"
#include "pool_channels.hpp"

namespace multiprocessing::runtime {

struct Feeder::State {
  std::shared_ptr<platform::Channel> channel;
  std::shared_ptr<platform::Wakeup> give_up;
  mutable std::mutex mutex;
  struct Part {
    std::vector<std::byte> bytes;
    std::function<void()> written;
  };
  std::deque<Part> queue;
  bool running = false;
  bool broken = false;
  std::function<void()> failed;
  std::function<void()> then;

  /// Before anybody learns that it has stopped.
  void let_go() noexcept {
    channel.reset();
    give_up.reset();
  }
};

Feeder::Feeder(std::shared_ptr<platform::Channel> channel, std::function<void()> failed)
    : state_(std::make_shared<State>()) {
  state_->channel = std::move(channel);
  state_->failed = std::move(failed);
  state_->give_up = open_pool_wakeup();
}

bool Feeder::push(std::vector<std::byte>& bytes, std::function<void()> written) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->running && !platform::run_in_background([self = shared_from_this()] { self->run(); }))
    return false;
  state_->running = true;
  auto& part = state_->queue.emplace_back();  // without memory the bytes stay where they are
  part.bytes.swap(bytes);
  part.written = std::move(written);
  return true;
}

void Feeder::run() noexcept {
  const OwnThread counted;
  for (;;) {
    State::Part part;
    {
      std::unique_lock lock(state_->mutex);
      if (state_->queue.empty() || state_->broken) {
        state_->queue.clear();
        state_->running = false;
        const auto then = std::exchange(state_->then, nullptr);
        if (then) state_->let_go();
        lock.unlock();
        if (then) then();
        return;
      }
      part = std::move(state_->queue.front());
      state_->queue.pop_front();
    }
    const auto written =
        state_->channel->write_all(part.bytes, platform::Deadline::never(), state_->give_up.get());
    if (written && part.written) part.written();
    if (written) continue;
    if (note_broken()) state_->failed();
  }
}

/// Whether nobody had given up the rest before.
bool Feeder::note_broken() noexcept {
  const std::lock_guard lock(state_->mutex);
  return !std::exchange(state_->broken, true);
}

bool Feeder::busy() const {
  const std::lock_guard lock(state_->mutex);
  return state_->running;
}

void Feeder::stop(std::function<void()> then) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->broken = true;
    if (state_->running) {
      state_->then = std::move(then);
      state_->give_up->notify();
      return;
    }
    state_->let_go();
  }
  then();
}

// Without a time limit nobody needs to know.
std::function<void()> PoolWorker::when_written(std::uint64_t number) const {
  if (sent.empty() || sent.back().job->options().timeout.is_infinite()) return nullptr;
  return [note = note_written, number] { note(number); };
}

bool PoolWorker::may_write() const {
  return !out.empty() && !writing && unread <= written_at_once && !feeder->busy();
}

PoolWorker::Write PoolWorker::begin_write() noexcept {
  writing = true;
  in_flight.swap(out);
  Write write{flushed, flushed};
  if (!sent.empty()) write.last = sent.back().number;
  if (sent.size() > 1) write.before_last = std::max(flushed, std::prev(sent.end(), 2)->number);
  return write;
}

void PoolWorker::write(Write& write) noexcept {
  constexpr std::chrono::seconds never_needed(1);
  const auto deadline = platform::Deadline::after(never_needed);
  write.done = channel->write_all(in_flight, deadline, nullptr, &write.begun).has_value();
}

bool PoolWorker::end_write(const Write& write) noexcept {
  writing = false;
  in_flight.clear();
  if (write.done) {
    flushed = std::max(flushed, write.last);
    written = std::max(written, write.last);
    return true;
  }
  // Of all but the last it is not known whether the worker has them; what came behind them never goes out.
  if (write.begun) flushed = std::max(flushed, write.before_last);
  out.clear();
  return false;
}

bool PoolWorker::flush() noexcept try {
  if (out.empty() || writing) return true;
  if (may_write()) {
    auto at_once = begin_write();
    write(at_once);
    return end_write(at_once);
  }
  const auto last = sent.empty() ? flushed : sent.back().number;
  if (feeder->push(out, when_written(last))) flushed = last;
  return true;
} catch (const std::bad_alloc&) {
  return true;
}

}  // namespace multiprocessing::runtime
