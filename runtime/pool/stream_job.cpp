// The tasks of a call whose inputs come on demand: imap and its kin. Whoever takes outcomes also pulls
// inputs, in his own thread, so many as keep the workers busy and no more: ten million of them take no more
// memory than a hundred.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include "contract/process.hpp"
#include "pool/pool_core.hpp"
#include "support/deadline.hpp"

namespace multiprocessing::detail {

class TaskStream::State final : public runtime::PoolJob {
 public:
  State(std::shared_ptr<PoolCore> pool, ChunkFunction function, TaskOptions options, bool ordered,
        std::size_t buffer, Feed feed)
      : PoolJob(std::move(function), options),
        pool_(std::move(pool)),
        ordered_(ordered),
        buffer_(buffer),
        feed_(std::move(feed)) {}

  void watch_for_cancellation() {
    if (!options().stop.stop_possible()) return;
    stop_.emplace(options().stop, [weak = weak_from_this()] {
      const auto self = std::static_pointer_cast<State>(weak.lock());
      if (self == nullptr) return;
      self->abort(std::make_shared<TaskFailure>(
          std::make_exception_ptr(CancelledError("the tasks were given up: a stop was requested"))));
      self->pool_->cancel(*self);
    });
  }

  std::optional<Block> take(Duration timeout, const StopToken& stop) {
    pool_->check_owner();
    const auto deadline = runtime::deadline_after(timeout);
    top_up(deadline, stop);
    const StopCallback wake(stop, [this] {
      const std::scoped_lock lock(mutex_);
      arrived_.notify_all();
    });
    std::unique_lock lock(mutex_);
    for (;;) {
      if (aborted_ && !ended_) end_aborted();
      if (auto block = pop()) return block;
      if (ended_ && taken_ == pulled_) return std::nullopt;
      if (stop.stop_requested())
        throw CancelledError("waiting for an outcome was given up: a stop was requested");
      if (deadline.expired()) throw TimeoutError("no outcome within the time; nothing is lost");
      constexpr std::chrono::nanoseconds slice = std::chrono::hours(1);
      arrived_.wait_for(lock, deadline.is_never() ? slice : std::min(deadline.remaining(), slice));
      // What came may not be the next in order, and the worker that sent it wants more.
      if (here_.empty() || is_next_here()) continue;
      lock.unlock();
      top_up(deadline, stop);
      lock.lock();
    }
  }

  /// Its consumer is gone.
  void abandon() noexcept {
    {
      const std::scoped_lock lock(mutex_);
      ended_ = true;
      set_over();
    }
    pool_->forget(*this);
    // Who pulls inputs at this moment, in join(), comes to an end first; then the inputs go, in the thread of
    // their owner.
    const std::scoped_lock feeding(feeding_);
    feed_ = nullptr;
  }

  // ---- as a job

  bool next(runtime::TaskChunk& chunk) override {
    const std::scoped_lock lock(mutex_);
    if (waiting_.empty()) return false;
    chunk = std::move(waiting_.front());
    waiting_.pop_front();
    begun_ = true;
    return true;
  }

  bool succeeded(std::uint64_t first, std::uint32_t count, std::vector<std::byte> bytes) override {
    return note({first, count, std::move(bytes), nullptr});
  }
  bool failed(std::uint64_t task, std::shared_ptr<const TaskFailure> failure) override {
    return note({task, 1, {}, std::move(failure)});
  }
  bool abort(std::shared_ptr<const TaskFailure> failure) override {
    const std::scoped_lock lock(mutex_);
    if (over()) return false;
    aborted_ = std::move(failure);
    set_over();
    arrived_.notify_all();
    return true;
  }
  [[nodiscard]] bool begun() const noexcept override { return begun_; }
  void cancel() override {
    abort(std::make_shared<TaskFailure>(
        std::make_exception_ptr(CancelledError("the tasks were cancelled before they were begun"))));
    pool_->cancel(*this);
  }
  void drain(platform::Deadline deadline, const StopToken& stop) override {
    while (!deadline.expired() && !stop.stop_requested() && pull()) continue;
  }
  void no_more_inputs() override {
    {
      const std::scoped_lock lock(mutex_);
      ended_ = true;
      over_if_done();
      arrived_.notify_all();
    }
    if (over()) pool_->forget(*this);
  }
  /// What no worker has begun fails; so does, once for all, what was not pulled.
  void cancel_rest() override {
    const auto failure = std::make_shared<TaskFailure>(
        std::make_exception_ptr(CancelledError("the task was cancelled before it was begun")));
    {
      const std::scoped_lock lock(mutex_);
      if (over()) return;
      for (; !waiting_.empty(); waiting_.pop_front()) {
        const auto& chunk = waiting_.front();
        here_.emplace(key(chunk.first), Block{chunk.first, chunk.count, {}, failure});
        answered_ += chunk.count;
      }
      if (!ended_) here_.emplace(key(pulled_), Block{pulled_, 1, {}, failure});
      if (!ended_) ++pulled_;
      ended_ = true;  // at once: whoever pulls at this moment comes too late
    }
    no_more_inputs();
  }
  [[nodiscard]] bool owned() const noexcept { return pool_->owned(); }

 private:
  using Clock = std::chrono::steady_clock;
  /// What an input may take before whoever waits for an outcome notices.
  static constexpr std::chrono::milliseconds slow{1};

  [[nodiscard]] bool wants_more() const {
    const std::size_t wanted = buffer_ > 0 ? buffer_ : pool_->appetite();
    const std::scoped_lock lock(mutex_);
    if (ended_ || aborted_ || unanswered_chunks() >= wanted) return false;
    return ahead_ < most_ahead(wanted);
  }

  /// How many chunks may have been read and not been taken. Those that are done wait for a slow one before
  /// them, which must not leave the other workers idle.
  [[nodiscard]] std::size_t most_ahead(std::size_t wanted) const {
    if (buffer_ > 0) return buffer_;
    // Large inputs or results: no more of them than it takes to keep every worker busy.
    constexpr std::size_t many_bytes = 64 * 1024 * 1024;
    constexpr std::size_t done_for_each = 64;
    const auto workers = static_cast<std::size_t>(pool_->size());
    if (bytes_ahead_ + bytes_here_ >= many_bytes) return workers;
    return std::max(wanted, done_for_each * workers);
  }

  [[nodiscard]] std::size_t unanswered_chunks() const {
    return static_cast<std::size_t>((given_ - answered_ + largest_chunk_ - 1) / largest_chunk_);
  }

  [[nodiscard]] bool is_next_here() const {
    return !here_.empty() && (!ordered_ || here_.begin()->first == taken_);
  }

  /// Inputs may be long in coming: whoever waits for an outcome that is here is not kept by them, nor
  /// beyond his time. One is pulled in any case, so that looks without waiting get on, too.
  void top_up(platform::Deadline deadline, const StopToken& stop) {
    const auto begun = Clock::now();
    for (auto last = begun; wants_more();) {
      if (stop.stop_requested() || (last != begun && deadline.expired())) return;
      if ((slow_source_ || last - begun > slow) && has_next()) return;
      if (!pull()) return;
      const auto now = Clock::now();
      slow_source_ = now - last > slow;
      last = now;
    }
  }

  [[nodiscard]] bool has_next() const {
    const std::scoped_lock lock(mutex_);
    return is_next_here();
  }

  /// Inputs that were not pulled are not asked for any more, since that may take for ever: one failure stands
  /// for all of them. The mutex is held.
  void end_aborted() {
    ++pulled_;
    ended_ = true;
  }

  /// One chunk of inputs, which may be the user's code: without the mutex. False at their end.
  bool pull() {
    const std::scoped_lock feeding(feeding_);
    {
      const std::scoped_lock lock(mutex_);
      if (ended_ || aborted_) return false;
    }
    auto chunk = feed_();
    bool is_over = false;
    {
      const std::scoped_lock lock(mutex_);
      if (!chunk || ended_) {
        ended_ = true;
        over_if_done();
        arrived_.notify_all();
      } else {
        add_or_abort(std::move(*chunk));
      }
      is_over = over();
    }
    if (is_over) pool_->forget(*this);
    if (!chunk || is_over) return false;
    pool_->more(shared_from_this());
    return true;
  }

  /// The mutex is held. Without memory the chunk was pulled and has no result, and so it is with the rest.
  void add_or_abort(Chunk chunk) {
    try {
      add(std::move(chunk));
    } catch (const std::bad_alloc&) {
      aborted_ = pool_->out_of_memory();
      set_over();
      arrived_.notify_all();
    }
  }

  void add(Chunk chunk) {
    const std::uint64_t first = pulled_;
    pulled_ += chunk.count;
    ++ahead_;
    if (chunk.failure) {
      here_.emplace(key(first), Block{first, 1, {}, std::move(chunk.failure)});
      sizes_.emplace(first, 0);
      arrived_.notify_all();  // it may be another thread that pulled it, in join()
      return;
    }
    auto bytes = std::make_shared<const Encoder>(std::move(chunk.bytes));
    bytes_ahead_ += bytes->size();
    sizes_.emplace(first, bytes->size());
    waiting_.push_back({first, chunk.count, bytes->bytes(), bytes});
    given_ += chunk.count;
    largest_chunk_ = std::max<std::uint64_t>(largest_chunk_, chunk.count);
  }

  bool note(Block block) {
    const std::scoped_lock lock(mutex_);
    if (aborted_ || over()) return false;
    answered_ += block.count;
    bytes_here_ += block.bytes.size();
    const auto place = key(block.first);
    here_.emplace(place, std::move(block));
    over_if_done();
    arrived_.notify_all();
    return over();
  }

  void over_if_done() {
    if (ended_ && answered_ == given_ && waiting_.empty()) set_over();
  }

  /// By task, or in the order of arrival.
  std::uint64_t key(std::uint64_t first) { return ordered_ ? first : arrivals_++; }

  /// The mutex is held.
  std::optional<Block> pop() {
    if (is_next_here()) {
      Block& next = here_.begin()->second;
      if (!ordered_) note_taken(next.first, next.count);
      Block block = std::move(next);
      here_.erase(here_.begin());
      return taken(std::move(block));
    }
    if (aborted_ && taken_ < pulled_) return taken({next_missing(), 1, {}, aborted_});
    return std::nullopt;
  }

  Block taken(Block block) {
    taken_ += block.count;
    bytes_here_ -= block.bytes.size();
    // A chunk is no longer ahead when its first item is taken.
    const auto size = sizes_.find(block.first);
    if (size != sizes_.end()) {
      bytes_ahead_ -= size->second;
      --ahead_;
      sizes_.erase(size);
    }
    return block;
  }

  // Which tasks were taken out of order, as runs: needed to name those that are missing after an abort.
  // Without memory nothing has happened.
  void note_taken(std::uint64_t first, std::uint32_t count) {
    const std::uint64_t last = first + count;
    const auto next = runs_.upper_bound(first);
    const auto before = next != runs_.begin() ? std::prev(next) : runs_.end();
    const bool extends = before != runs_.end() && before->second == first;
    if (next == runs_.end() || next->first != last) {
      if (extends)
        before->second = last;
      else
        runs_.emplace(first, last);
      return;
    }
    auto joined = runs_.extract(next);
    if (extends) {
      before->second = joined.mapped();
      return;
    }
    joined.key() = first;
    runs_.insert(std::move(joined));
  }
  std::uint64_t next_missing() {
    if (ordered_) return taken_;
    const bool from_the_start = !runs_.empty() && runs_.begin()->first == 0;
    const std::uint64_t missing = from_the_start ? runs_.begin()->second : 0;
    note_taken(missing, 1);
    return missing;
  }

  const std::shared_ptr<PoolCore> pool_;
  const bool ordered_;
  const std::size_t buffer_;
  Feed feed_;           ///< null when its owner is gone
  std::mutex feeding_;  ///< of feed_: held while inputs are pulled
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<runtime::TaskChunk> waiting_;
  std::map<std::uint64_t, Block> here_;
  std::map<std::uint64_t, std::size_t> sizes_;  ///< of chunks that are ahead, by their first task
  std::size_t ahead_ = 0;
  std::size_t bytes_ahead_ = 0;
  std::size_t bytes_here_ = 0;  ///< of results
  std::uint64_t pulled_ = 0;    ///< tasks
  std::uint64_t given_ = 0;     ///< of them those that workers have to do
  std::uint64_t answered_ = 0;  ///< of those, the ones that are done
  std::uint64_t taken_ = 0;
  std::uint64_t largest_chunk_ = 1;
  std::uint64_t arrivals_ = 0;
  bool slow_source_ = false;                     ///< the last input was long in coming; the consumer's
  std::map<std::uint64_t, std::uint64_t> runs_;  ///< tasks that were taken: from, to
  bool ended_ = false;                           ///< there are no more inputs
  bool begun_ = false;                           ///< guarded by the pool's mutex
  std::shared_ptr<const TaskFailure> aborted_;
  std::optional<StopCallback> stop_;
};

TaskStream::TaskStream(std::shared_ptr<PoolCore> pool, ChunkFunction function, TaskOptions options,
                       bool ordered, std::size_t buffer, Feed feed)
    : state_(std::make_shared<State>(pool, std::move(function), options, ordered, buffer, std::move(feed))) {
  if (options.stop.stop_requested()) throw CancelledError("the tasks were not begun: a stop was requested");
  try {
    pool->submit(state_);
    state_->watch_for_cancellation();
  } catch (...) {
    if (state_->owned()) state_->abandon();  // in a forked copy nobody may ever give the mutexes back
    throw;
  }
}

TaskStream::~TaskStream() {
  // A copy in a forked child is left as it is: another thread of the parent may have held its mutexes.
  if (!state_->owned())
    static_cast<void>(new std::shared_ptr<State>(std::move(state_)));
  else
    state_->abandon();
}

std::optional<TaskStream::Block> TaskStream::take(Duration timeout, const StopToken& stop) {
  return state_->take(timeout, stop);
}

}  // namespace multiprocessing::detail
