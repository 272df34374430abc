// The tasks of a call whose inputs were known when it was made: apply, map, starmap.
#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include "pool/pool_core.hpp"

namespace multiprocessing::detail {
namespace {

class ListJob final : public runtime::PoolJob {
 public:
  ListJob(TaskList list, const std::shared_ptr<PoolCore>& pool)
      : PoolJob(std::move(list.function), list.options),
        pool_(pool),
        future_(std::make_shared<FutureCore>()),
        bytes_(std::make_shared<const Encoder>(std::move(list.bytes))),
        ends_(std::move(list.ends)),
        count_(list.count),
        chunksize_(list.chunksize),
        is_list_(list.is_list),
        left_(list.count) {
    future_->set_source(pool_);
    future_->set_callback_mark(pool->callbacks());
  }

  [[nodiscard]] const std::shared_ptr<FutureCore>& future() const noexcept { return future_; }

  /// Before it is submitted: then others may cancel it.
  void obey_cancel() {
    future_->on_cancel([weak = weak_from_this()] {
      if (const auto self = weak.lock()) static_cast<ListJob&>(*self).cancelled();
    });
  }
  /// Once it is submitted.
  void obey_stop() {
    if (!options().stop.stop_possible()) return;
    stop_.emplace(options().stop, [weak = std::weak_ptr(future_)] {
      if (const auto future = weak.lock()) future->cancel();
    });
  }
  void finish_empty() { finish(); }

  [[nodiscard]] bool may_run_ahead() const noexcept override { return count_ > 1; }

  [[nodiscard]] bool begun() const noexcept override { return handed_out_ > 0; }
  void cancel() override { future_->cancel(); }

  bool next(runtime::TaskChunk& chunk) override {
    if (handed_out_ == ends_.size()) return false;
    const std::size_t begin = handed_out_ == 0 ? 0 : ends_[handed_out_ - 1];
    chunk.first = std::uint64_t{handed_out_} * chunksize_;
    chunk.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(chunksize_, count_ - chunk.first));
    chunk.items = bytes_->bytes().subspan(begin, ends_[handed_out_] - begin);
    chunk.owner = bytes_;
    ++handed_out_;
    future_->set_running();
    return true;
  }

  bool succeeded(std::uint64_t first, std::uint32_t count, std::vector<std::byte> bytes) override {
    std::unique_lock lock(mutex_);
    if (over()) return false;
    if (!is_list_ || count == count_) {
      arrived_ = std::move(bytes);
      parts_ = {{first, 0, arrived_.size()}};
    } else {
      parts_.push_back({first, arrived_.size(), bytes.size()});
      arrived_.insert(arrived_.end(), bytes.begin(), bytes.end());
    }
    return note_done(count, lock);
  }

  bool failed(std::uint64_t, std::shared_ptr<const TaskFailure> failure) override {
    std::unique_lock lock(mutex_);
    if (over()) return false;
    if (failure_ == nullptr) failure_ = std::move(failure);  // as in Python: the first one, when all are done
    return note_done(1, lock);
  }

  bool abort(std::shared_ptr<const TaskFailure> failure) override {
    {
      const std::scoped_lock lock(mutex_);
      if (over()) return false;
      failure_ = std::move(failure);
      set_over();
    }
    settle();
    return true;
  }

 private:
  struct Part {
    std::uint64_t first;
    std::size_t begin;
    std::size_t size;
  };

  bool note_done(std::uint64_t count, std::unique_lock<std::mutex>& lock) {
    left_ -= std::min(left_, count);
    if (left_ > 0) return false;
    if (failure_ == nullptr && is_list_) arrived_ = joined();  // while abort() could still answer
    set_over();
    lock.unlock();
    settle();
    return true;
  }

  void finish() {
    {
      const std::scoped_lock lock(mutex_);
      if (over()) return;
      if (is_list_) arrived_ = joined();
      set_over();
    }
    settle();
  }

  void cancelled() {
    {
      const std::scoped_lock lock(mutex_);
      if (over()) return;
      set_over();
    }
    if (const auto pool = pool_.lock()) pool->cancel(*this);
  }

  /// Nothing of this changes any more.
  void settle() {
    if (failure_ == nullptr) {
      future_->set_result(std::move(arrived_));
    } else {
      try {
        future_->set_failure([failure = failure_] { return failure->exception(); });
      } catch (const std::bad_alloc&) {
        future_->set_exception(std::current_exception());
      }
    }
  }

  /// A list as the archive writes one: its length, and the elements in order.
  std::vector<std::byte> joined() {
    std::ranges::sort(parts_, {}, &Part::first);
    std::vector<std::byte> bytes(sizeof(std::uint64_t) + arrived_.size());
    to_little_endian(count_, bytes.data());
    auto place = bytes.begin() + sizeof(std::uint64_t);
    for (const auto& part : parts_)
      place = std::copy_n(arrived_.begin() + static_cast<std::ptrdiff_t>(part.begin), part.size, place);
    return bytes;
  }

  const std::weak_ptr<PoolCore> pool_;
  const std::shared_ptr<FutureCore> future_;
  const std::shared_ptr<const Encoder> bytes_;
  const std::vector<std::size_t> ends_;
  const std::uint64_t count_;
  const std::uint32_t chunksize_;
  const bool is_list_;
  std::size_t handed_out_ = 0;  ///< chunks; the pool's mutex guards it
  std::mutex mutex_;            ///< of what follows
  std::uint64_t left_;
  std::vector<std::byte> arrived_;  ///< results in the order of their arrival
  std::vector<Part> parts_;
  std::shared_ptr<const TaskFailure> failure_;
  std::optional<StopCallback> stop_;
};

}  // namespace

std::shared_ptr<FutureCore> submit_list(const std::shared_ptr<PoolCore>& pool, TaskList list) {
  if (list.options.stop.stop_requested())
    throw CancelledError("the task was not begun: a stop was requested");
  const bool empty = list.count == 0;
  const auto job = std::make_shared<ListJob>(std::move(list), pool);
  if (empty) {
    pool->check_running();
    job->finish_empty();
  } else {
    job->obey_cancel();
    pool->submit(job);
    job->obey_stop();
  }
  return job->future();
}

}  // namespace multiprocessing::detail
