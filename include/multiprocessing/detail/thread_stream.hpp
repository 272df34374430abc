// The outcomes of tasks in threads, whose inputs are pulled when outcomes are taken.
#pragma once

#include <multiprocessing/detail/thread_pool.hpp>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/outcome.hpp>
#include <multiprocessing/stop_token.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <variant>

namespace multiprocessing::detail {

/// Shared by the consumer and the tasks that are under way.
template <class R, class F, std::ranges::input_range View>
class ThreadStreamState final : public LazyInputs,
                                public std::enable_shared_from_this<ThreadStreamState<R, F, View>> {
  using Value = std::ranges::range_value_t<View>;

 public:
  ThreadStreamState(std::shared_ptr<ThreadPoolCore> pool, F function, View inputs, bool ordered)
      : pool_(std::move(pool)),
        function_(std::move(function)),
        inputs_(std::move(inputs)),
        ordered_(ordered) {}

  /// Once `stop` is set, tasks that were not begun answer CancelledError.
  void obey(const StopToken& stop) {
    stop_ = stop;
    on_stop_.emplace(stop, [this] {
      const std::lock_guard lock(mutex_);
      arrived_.notify_all();
    });
  }

  std::optional<Outcome<R>> next(Duration timeout, const StopToken& stop) {
    const TimeLeft left(timeout);
    top_up(left, stop);
    const StopCallback wake(stop, [this] {
      const std::lock_guard lock(mutex_);
      arrived_.notify_all();
    });
    std::unique_lock lock(mutex_);
    for (;;) {
      if (auto outcome = pop()) return outcome;
      if (broken_ != nullptr) std::rethrow_exception(broken_);
      if (ended_ && taken_ == pulled_) return std::nullopt;
      if (stop.stop_requested() || stop_.stop_requested())
        throw CancelledError("waiting for an outcome was given up: a stop was requested");
      const auto remaining = left.remaining().nanoseconds();
      if (remaining.count() <= 0) throw TimeoutError("no outcome within the time; nothing is lost");
      constexpr std::chrono::nanoseconds slice = std::chrono::hours(1);
      arrived_.wait_for(lock, remaining < slice ? remaining : slice);
    }
  }

  /// Its consumer is gone.
  void abandon() {
    abandoned_ = true;
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    // Who pulls inputs at this moment comes to an end first; then they go, in the thread of their owner.
    const std::lock_guard feeding(feeding_);
    position_.reset();
    inputs_.reset();
  }

  bool drain(const TimeLeft& left, const StopToken& stop) override {
    while (has_more()) {
      if (stop.stop_requested() || left.remaining().nanoseconds().count() <= 0) return false;
      pull();
    }
    return true;
  }

 private:
  /// The mutex is held.
  std::optional<Outcome<R>> pop() {
    if (!is_next_here()) return std::nullopt;
    std::optional<Outcome<R>> outcome(std::move(here_.begin()->second));
    here_.erase(here_.begin());
    ++taken_;
    return outcome;
  }

  /// As for processes: inputs may be long in coming, and keep nobody from what is here, nor beyond his time.
  void top_up(const TimeLeft& left, const StopToken& stop) {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds slow(1);
    const auto begun = Clock::now();
    for (auto last = begun; wants_more();) {
      if (stop.stop_requested() || stop_.stop_requested() ||
          (last != begun && left.remaining().nanoseconds().count() <= 0))
        return;
      if ((slow_source_ || last - begun > slow) && has_next()) return;
      if (!pull()) return;
      const auto now = Clock::now();
      slow_source_ = now - last > slow;
      last = now;
    }
  }

  bool has_more() {
    const std::lock_guard lock(mutex_);
    return !ended_;
  }

  [[nodiscard]] bool is_next_here() const {
    return !here_.empty() && (!ordered_ || here_.begin()->first == taken_);
  }
  bool has_next() {
    const std::lock_guard lock(mutex_);
    return is_next_here();
  }

  bool wants_more() {
    const std::lock_guard lock(mutex_);
    return !ended_ && pulled_ - taken_ < 4 * thread_count(*pool_);
  }

  /// The next input; empty at the end.
  std::shared_ptr<Value> advance() {
    if (!position_)
      position_.emplace(std::ranges::begin(*inputs_));
    else
      ++*position_;
    if (*position_ == std::ranges::end(*inputs_)) return nullptr;
    return std::make_shared<Value>(**position_);
  }

  bool pull() {
    const std::lock_guard feeding(feeding_);
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return false;
    }
    std::shared_ptr<Value> value;
    std::exception_ptr failure;
    try {
      value = advance();
    } catch (...) {
      failure = std::current_exception();
    }
    std::size_t index = 0;
    {
      const std::lock_guard lock(mutex_);
      ended_ = ended_ || value == nullptr;
      arrived_.notify_all();
      if (value == nullptr && failure == nullptr) return false;
      index = pulled_++;
    }
    if (failure != nullptr) {
      note(Outcome<R>(index, failures_.of(failure)));
      return false;
    }
    try {
      post(*pool_, [self = this->shared_from_this(), index, value](std::exception_ptr refused) {
        self->run(index, *value, refused);
      });
    } catch (...) {
      const std::lock_guard lock(mutex_);
      break_off(std::current_exception());
      return false;
    }
    return true;
  }

  /// An input or an outcome was lost, for want of memory: nobody shall wait for it. The mutex is held.
  void break_off(std::exception_ptr why) noexcept {
    broken_ = std::move(why);
    ended_ = true;
    arrived_.notify_all();
  }

  void run(std::size_t index, Value& value, const std::exception_ptr& refused) {
    if (refused != nullptr) {
      {
        const std::lock_guard lock(mutex_);
        ended_ = true;  // as every other input would be, and there may be no end of them
      }
      return note(Outcome<R>(index, failures_.of(refused)));
    }
    if (abandoned_) return;
    try {
      if (stop_.stop_requested()) throw CancelledError("the task was not begun: a stop was requested");
      if constexpr (std::is_void_v<R>) {
        std::invoke(function_, std::move(value));
        note(Outcome<R>(index, std::monostate()));
      } else {
        note(Outcome<R>(index, std::invoke(function_, std::move(value))));
      }
    } catch (...) {
      note(Outcome<R>(index, failures_.of_caught()));
    }
  }

  void note(Outcome<R> outcome) {
    const std::lock_guard lock(mutex_);
    const std::size_t key = ordered_ ? outcome.index() : arrivals_++;
    try {
      here_.emplace(key, std::move(outcome));
    } catch (...) {
      return break_off(std::current_exception());
    }
    arrived_.notify_all();
  }

  const std::shared_ptr<ThreadPoolCore> pool_;
  F function_;
  std::optional<View> inputs_;
  const bool ordered_;
  const FailureMaker failures_;
  std::mutex feeding_;  ///< of inputs_ and position_
  std::optional<std::ranges::iterator_t<View>> position_;
  std::mutex mutex_;  ///< of what follows
  std::condition_variable arrived_;
  std::map<std::size_t, Outcome<R>> here_;  ///< by task, or in the order of arrival
  std::size_t pulled_ = 0;
  std::size_t taken_ = 0;
  std::size_t arrivals_ = 0;
  bool ended_ = false;
  std::exception_ptr broken_;  ///< what whoever waits for more is told
  bool slow_source_ = false;   ///< the last input was long in coming; the consumer's
  StopToken stop_;
  std::optional<StopCallback> on_stop_;
  std::atomic<bool> abandoned_{false};
};

template <class R, class F, std::ranges::input_range View>
class ThreadStream final : public OutcomeSource<R> {
  using State = ThreadStreamState<R, F, View>;

 public:
  ThreadStream(const std::shared_ptr<ThreadPoolCore>& pool, F function, View inputs, bool ordered,
               const StopToken& stop)
      : pool_(pool), state_(std::make_shared<State>(pool, std::move(function), std::move(inputs), ordered)) {
    state_->obey(stop);
    begin_inputs(*pool_, state_);  // last: what fails here shall leave nothing that the pool would wait for
  }
  ~ThreadStream() override {
    if (!owned(*pool_)) {
      // A copy in a forked child: another thread of its parent may have held the mutexes.
      static_cast<void>(new std::shared_ptr<State>(std::move(state_)));
      return;
    }
    state_->abandon();
    end_inputs(*pool_, *state_);
  }

  std::optional<Outcome<R>> next(Duration timeout, const StopToken& stop) override {
    return state_->next(timeout, stop);
  }

 private:
  std::shared_ptr<ThreadPoolCore> pool_;
  std::shared_ptr<State> state_;
};

}  // namespace multiprocessing::detail
