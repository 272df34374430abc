// FutureCore: a result that one thread waits for and another brings.
#include <multiprocessing/errors.hpp>
#include <multiprocessing/future.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>

#include "contract/process.hpp"
#include "contract/wait.hpp"
#include "support/callbacks.hpp"
#include "support/deadline.hpp"
#include "support/errors.hpp"
#include "support/log.hpp"

namespace multiprocessing::detail {

struct FutureCore::State {
  const int maker = platform::current_pid();
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  bool deciding = false;            ///< somebody brings the result; nobody else can any more
  bool cancelling = false;          ///< and that is a cancellation
  std::atomic<bool> begun = false;  ///< set with locks held that `mutex` must not be taken under
  bool done = false;
  bool cancelled = false;
  std::vector<std::byte> bytes;
  std::exception_ptr exception;  ///< bytes or this, once done; neither changes any more then
  std::function<std::exception_ptr()> make_exception;  ///< called once, by the first who asks
  bool failing = false;                                ///< make_exception was set
  std::once_flag exception_made;
  std::optional<platform::Wakeup> wakeup;  ///< for waitable()
  std::weak_ptr<ResultSource> source;      ///< set before anybody waits
  std::shared_ptr<CallbackMark> mark;      ///< set before there are callbacks
  std::function<void()> stop_work;
  std::vector<std::function<void()>> callbacks;
  std::vector<std::pair<std::weak_ptr<DoneSignal>, std::size_t>> signals;

  /// Decides, if nobody has, with what `fill` writes into the state; then tells everybody. `stopping` also
  /// stops the work.
  template <class Fill>
  bool settle(Fill fill, bool stopping);

  /// What it ended with in place of a result, once done.
  std::exception_ptr failure() {
    if (!failing) return exception;
    std::call_once(exception_made, [this] {
      if (make_exception) exception = make_exception();
      make_exception = nullptr;
    });
    return exception;
  }
};

namespace {

void log_thrown(const char* what) noexcept {
  try {
    runtime::log(Level::error, std::string("a future's callback threw: ") + what);
  } catch (const std::bad_alloc&) {
    runtime::log(Level::error, what);
  }
}

/// Python, too, logs what a callback throws and goes on with the next.
void call_back(const std::function<void()>& callback) noexcept {
  try {
    callback();
  } catch (const std::exception& error) {
    log_thrown(error.what());
  } catch (...) {
    runtime::log(Level::error, "a future's callback threw");
  }
}

using Callbacks = std::vector<std::function<void()>>;

/// In the callbacks' thread, or here where there is no memory to hand them over.
void call_all(Callbacks& callbacks, CallbackMark* mark) noexcept {
  if (callbacks.empty()) return;
  std::shared_ptr<Callbacks> kept;
  std::function<void()> work;
  try {
    kept = std::make_shared<Callbacks>();
    work = [kept] {
      for (const auto& callback : *kept) call_back(callback);
    };
  } catch (const std::bad_alloc&) {
    for (const auto& callback : callbacks) call_back(callback);
    return;
  }
  kept->swap(callbacks);
  kept.reset();
  runtime::run_callback(std::move(work), mark);
}

}  // namespace

template <class Fill>
bool FutureCore::State::settle(Fill fill, bool stopping) {
  std::function<void()> stop;
  std::vector<std::function<void()>> waiting;
  std::vector<std::pair<std::weak_ptr<DoneSignal>, std::size_t>> told;
  {
    const std::lock_guard lock(mutex);
    if (deciding) return false;
    deciding = true;
    cancelling = stopping;
    stop.swap(stop_work);
  }
  if (stopping && stop) stop();
  stop = nullptr;  // before anybody learns that the work is done: it holds what belongs to the work
  {
    const std::lock_guard lock(mutex);
    fill();
    done = true;
    if (wakeup) wakeup->notify();
    waiting.swap(callbacks);
    told.swap(signals);
  }
  changed.notify_all();  // without the mutex, which who wakes wants first
  for (const auto& [weak, index] : told)
    if (const auto signal = weak.lock()) signal->done(index);
  call_all(waiting, mark.get());
  return true;
}

struct DoneSignal::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::list<std::size_t> done;
  std::list<std::size_t> expected;  ///< the nodes for more: who is done may have no memory to say so
};

DoneSignal::DoneSignal() : state_(std::make_unique<State>()) {}
DoneSignal::~DoneSignal() = default;

void DoneSignal::expect_one() {
  const std::lock_guard lock(state_->mutex);
  state_->expected.emplace_back();
}

void DoneSignal::done(std::size_t index) noexcept {
  const std::lock_guard lock(state_->mutex);
  const auto node = state_->expected.begin();
  *node = index;
  state_->done.splice(state_->done.end(), state_->expected, node);
  state_->changed.notify_all();
}

std::optional<std::size_t> DoneSignal::next(Duration timeout, const StopToken& stop) {
  const auto deadline = runtime::deadline_after(timeout);
  const StopCallback wake(stop, [this] {
    const std::lock_guard lock(state_->mutex);
    state_->changed.notify_all();
  });
  std::unique_lock lock(state_->mutex);
  while (state_->done.empty()) {
    if (stop.stop_requested()) throw CancelledError("waiting for futures was given up: a stop was requested");
    if (deadline.expired()) return std::nullopt;
    constexpr std::chrono::nanoseconds slice = std::chrono::hours(1);
    state_->changed.wait_for(lock, deadline.is_never() ? slice : std::min(deadline.remaining(), slice));
  }
  const std::size_t index = state_->done.front();
  state_->done.pop_front();
  return index;
}

TimeLeft::TimeLeft(Duration whole) noexcept
    : whole_(std::max(whole.nanoseconds(), std::chrono::nanoseconds::zero())),
      begun_(std::chrono::steady_clock::now()) {}

Duration TimeLeft::remaining() const noexcept {
  if (whole_.is_infinite()) return infinite;
  return Duration(whole_.nanoseconds() - (std::chrono::steady_clock::now() - begun_));
}

FutureCore::FutureCore() : state_(std::make_unique<State>()) {}
FutureCore::~FutureCore() = default;

bool FutureCore::set_result(std::vector<std::byte> bytes) {
  return state_->settle([&] { state_->bytes = std::move(bytes); }, false);
}

bool FutureCore::set_exception(std::exception_ptr exception) {
  return state_->settle([&] { state_->exception = std::move(exception); }, false);
}

bool FutureCore::set_failure(std::function<std::exception_ptr()> make) {
  return state_->settle(
      [&] {
        state_->make_exception = std::move(make);
        state_->failing = true;
      },
      false);
}

bool FutureCore::cancel() {
  const auto error = std::make_exception_ptr(CancelledError("the future was cancelled"));
  const bool first = state_->settle(
      [&] {
        state_->cancelled = true;
        state_->exception = error;
      },
      true);
  if (first) return true;
  const std::lock_guard lock(state_->mutex);
  return state_->cancelling;
}

void FutureCore::set_source(std::weak_ptr<ResultSource> source) { state_->source = std::move(source); }

void FutureCore::set_callback_mark(std::shared_ptr<CallbackMark> mark) { state_->mark = std::move(mark); }

void FutureCore::on_cancel(std::function<void()> stop_work) {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->deciding) {
      stop_work.swap(state_->stop_work);
      return;
    }
    if (!state_->cancelling) return;
  }
  stop_work();
}

void FutureCore::set_running() noexcept { state_->begun.store(true, std::memory_order_relaxed); }

bool FutureCore::running() const {
  const std::lock_guard lock(state_->mutex);
  return state_->begun.load(std::memory_order_relaxed) && !state_->done;
}

bool FutureCore::done() const {
  const std::lock_guard lock(state_->mutex);
  return state_->done;
}

bool FutureCore::cancelled() const {
  const std::lock_guard lock(state_->mutex);
  return state_->cancelled;
}

bool FutureCore::wait(Duration timeout, const StopToken& stop) const {
  if (state_->maker != platform::current_pid())
    throw AssertionError("the future belongs to the process that made it; a forked child cannot wait for it");
  const platform::Deadline deadline = runtime::deadline_after(timeout);
  if (const auto source = state_->source.lock(); source != nullptr && !done() && !stop.stop_requested())
    source->look([this] { return done(); }, runtime::remaining(deadline));
  const StopCallback wake(stop, [this] {
    const std::lock_guard lock(state_->mutex);
    state_->changed.notify_all();
  });
  std::unique_lock lock(state_->mutex);  // after `wake`: given back before that waits for its function
  while (!state_->done) {
    if (stop.stop_requested())
      throw CancelledError("waiting for a future was given up: a stop was requested");
    if (deadline.is_never()) {
      state_->changed.wait(lock);
      continue;
    }
    if (deadline.expired()) return false;
    // In slices, since the point in time of a long wait does not fit into every clock.
    constexpr std::chrono::nanoseconds slice = std::chrono::hours(1);
    state_->changed.wait_for(lock, std::min(deadline.remaining(), slice));
  }
  return true;
}

const std::vector<std::byte>& FutureCore::bytes(Duration timeout, const StopToken& stop) const {
  if (!wait(timeout, stop)) throw TimeoutError("the future has no result within the time");
  if (const auto failure = state_->failure()) std::rethrow_exception(failure);
  return state_->bytes;
}

std::exception_ptr FutureCore::exception(Duration timeout, const StopToken& stop) const {
  if (!wait(timeout, stop)) throw TimeoutError("the future has no result within the time");
  if (state_->cancelled) std::rethrow_exception(state_->exception);
  return state_->failure();
}

void FutureCore::when_done(std::shared_ptr<DoneSignal> signal, std::size_t index) {
  signal->expect_one();
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->done) {
      // Who waits again and again leaves nothing behind.
      std::erase_if(state_->signals, [](const auto& each) { return each.first.expired(); });
      state_->signals.emplace_back(std::move(signal), index);
      return;
    }
  }
  signal->done(index);
}

bool FutureCore::failed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->done && !state_->cancelled && (state_->failing || state_->exception != nullptr);
}

std::intptr_t FutureCore::waitable() const {
  const std::lock_guard lock(state_->mutex);
  if (!state_->wakeup) {
    state_->wakeup.emplace(runtime::value_or_throw(platform::Wakeup::create(), "a result"));
    if (state_->done) state_->wakeup->notify();
  }
  return state_->wakeup->waitable();
}

void FutureCore::add_done_callback(std::function<void()> callback) {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->done) {
      state_->callbacks.push_back(std::move(callback));
      return;
    }
  }
  call_back(callback);
}

}  // namespace multiprocessing::detail
