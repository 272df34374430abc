// The lazy side of imap and its kin: pulls inputs when outcomes are taken, and turns bytes into results.
#pragma once

#include <multiprocessing/detail/chunk.hpp>
#include <multiprocessing/detail/pool_core.hpp>
#include <multiprocessing/duration.hpp>
#include <multiprocessing/outcome.hpp>
#include <multiprocessing/stop_token.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing {
namespace detail {

/// The element of a range is the argument of a call (map), or its parts are (starmap).
template <class F, class Element>
struct AsArgument {
  using Shape = ShapeFor<TargetType<F>, Element>;
  static constexpr bool travels = task_travels<TargetType<F>, Shape, Element>();
  static constexpr void explain() { explain_task<TargetType<F>, Shape, Element>(); }
  static void encode(Encoder& encoder, Element&& element) {
    encode_item(Shape(), encoder, std::forward<Element>(element));
  }
};
template <class F, class Element, class Indices>
struct PartsAsArguments;
template <class F, class Element, std::size_t... i>
struct PartsAsArguments<F, Element, std::index_sequence<i...>> {
  template <std::size_t n>
  using Part = decltype(std::get<n>(std::declval<Element>()));
  using Shape = ShapeFor<TargetType<F>, Part<i>...>;
  static constexpr bool travels = task_travels<TargetType<F>, Shape, Part<i>...>();
  static constexpr void explain() { explain_task<TargetType<F>, Shape, Part<i>...>(); }
  static void encode(Encoder& encoder, [[maybe_unused]] Element&& element) {
    encode_item(Shape(), encoder, std::get<i>(std::forward<Element>(element))...);
  }
};
template <class F, class Element>
using AsArguments =
    PartsAsArguments<F, Element, std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<Element>>>>;

template <class Passing>
using PassedResult = StoredResult<typename Passing::Shape::Result>;

/// Makes failures in the places of tasks that have no result. One is made beforehand: where there is no
/// memory for another it stands there, so that no task goes without an outcome.
class FailureMaker {
 public:
  [[nodiscard]] std::shared_ptr<const TaskFailure> of(const std::exception_ptr& exception) const noexcept {
    try {
      return std::make_shared<TaskFailure>(exception);
    } catch (...) {
      return out_of_memory_;
    }
  }
  /// Of the exception that is being handled.
  [[nodiscard]] std::shared_ptr<const TaskFailure> of_caught() const noexcept {
    return of(std::current_exception());
  }

 private:
  std::shared_ptr<const TaskFailure> out_of_memory_ =
      std::make_shared<TaskFailure>(std::make_exception_ptr(std::bad_alloc()));
};

/// Pulls chunks out of an input range. What the range throws is the outcome of the task that is missing, and
/// the end; what cannot be written is the outcome of that task alone.
template <class Passing, std::ranges::input_range View>
class ChunkFeed {
 public:
  ChunkFeed(View inputs, std::size_t chunksize) : inputs_(std::move(inputs)), chunksize_(chunksize) {}

  std::optional<TaskStream::Chunk> operator()() {
    TaskStream::Chunk chunk;
    if (pending_) {
      chunk.count = 1;
      chunk.failure = std::exchange(pending_, nullptr);
      return chunk;
    }
    while (!ended_ && chunk.count < chunksize_) {
      if (!advance()) break;
      if (!add_to(chunk)) break;
    }
    if (chunk.count > 0) return chunk;
    if (pending_) return (*this)();
    return std::nullopt;
  }

 private:
  /// Writes the element; false: there is a failure in its place.
  bool add_to(TaskStream::Chunk& chunk) {
    const std::size_t before = chunk.bytes.size();
    bool has_element = false;
    try {
      auto&& element = **position_;
      has_element = true;
      Passing::encode(chunk.bytes, std::forward<decltype(element)>(element));
      ++chunk.count;
      return true;
    } catch (...) {
      chunk.bytes.shrink_to(before);
      pending_ = failures_.of_caught();
      ended_ = !has_element;
      return false;
    }
  }

  /// To the next element; false at the end.
  bool advance() {
    try {
      if (!begun_) {
        begun_ = true;
        position_.emplace(std::ranges::begin(inputs_));
      } else {
        ++*position_;
      }
      ended_ = *position_ == std::ranges::end(inputs_);
    } catch (...) {
      pending_ = failures_.of_caught();
      ended_ = true;
    }
    return !ended_;
  }

  View inputs_;
  const std::size_t chunksize_;
  std::optional<std::ranges::iterator_t<View>> position_;
  bool begun_ = false;
  bool ended_ = false;
  std::shared_ptr<const TaskFailure> pending_;
  FailureMaker failures_;
};

/// Where outcomes come from.
template <class R>
class OutcomeSource {
 public:
  OutcomeSource() = default;
  OutcomeSource(const OutcomeSource&) = delete;
  OutcomeSource& operator=(const OutcomeSource&) = delete;
  virtual ~OutcomeSource() = default;
  /// As OutcomeRange::next().
  virtual std::optional<Outcome<R>> next(Duration timeout, const StopToken& stop) = 0;
};

/// From workers, as bytes.
template <class R>
class StreamedOutcomes final : public OutcomeSource<R> {
 public:
  explicit StreamedOutcomes(std::unique_ptr<TaskStream> stream) : stream_(std::move(stream)) {}

  std::optional<Outcome<R>> next(Duration timeout, const StopToken& stop) override {
    if (left_ == 0 && !fetch(timeout, stop)) return std::nullopt;
    const auto index = static_cast<std::size_t>(index_++);
    --left_;
    if (failure_) return Outcome<R>(index, left_ == 0 ? std::exchange(failure_, nullptr) : failure_);
    try {
      if constexpr (std::is_void_v<R>) {
        return Outcome<R>(index, std::monostate());
      } else {
        return Outcome<R>(index, decode<R>(*decoder_));
      }
    } catch (...) {
      // Nobody knows where the next one begins: those of this piece fail alike.
      failure_ = failures_.of_caught();
      return Outcome<R>(index, left_ == 0 ? std::exchange(failure_, nullptr) : failure_);
    }
  }

 private:
  bool fetch(Duration timeout, const StopToken& stop) {
    auto block = stream_->take(timeout, stop);
    if (!block) return false;
    bytes_ = std::move(block->bytes);
    decoder_.emplace(bytes_);
    index_ = block->first;
    left_ = block->count;
    failure_ = std::move(block->failure);
    return true;
  }

  std::unique_ptr<TaskStream> stream_;
  std::vector<std::byte> bytes_;
  std::optional<Decoder> decoder_;
  std::uint64_t index_ = 0;
  std::uint32_t left_ = 0;
  std::shared_ptr<const TaskFailure> failure_;
  FailureMaker failures_;
};

}  // namespace detail

/// The outcomes of tasks as they come, or in the order of their inputs. An input range that is gone through
/// once; movable. One thread at a time. Destroying it drops the tasks that no worker has begun.
template <class R>
class OutcomeRange {
 public:
  explicit OutcomeRange(std::unique_ptr<detail::OutcomeSource<R>> source) noexcept
      : source_(std::move(source)) {}

  /// The next outcome; nullopt at the end. Throws TimeoutError, CancelledError; neither loses one.
  std::optional<Outcome<R>> next(Duration timeout = infinite, StopToken stop = {}) {
    return source_->next(timeout, stop);
  }

  class iterator {
   public:
    using value_type = Outcome<R>;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    explicit iterator(OutcomeRange& range) : range_(&range) { ++*this; }
    iterator(iterator&&) noexcept = default;
    iterator& operator=(iterator&&) noexcept = default;
    Outcome<R>& operator*() const noexcept { return *range_->current_; }
    Outcome<R>* operator->() const noexcept { return &*range_->current_; }
    iterator& operator++() {
      range_->current_ = range_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept { return i.at_end(); }

   private:
    [[nodiscard]] bool at_end() const noexcept { return !range_->current_.has_value(); }

    OutcomeRange* range_;
  };
  iterator begin() { return iterator(*this); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  std::unique_ptr<detail::OutcomeSource<R>> source_;
  std::optional<Outcome<R>> current_;
};

/// The results of tasks, in the order of their inputs or as they come. A task that failed throws once, from
/// next() or from the iterator, and the iteration goes on behind it. Otherwise as OutcomeRange. Python:
/// `IMapIterator`, `IMapUnorderedIterator`.
template <class R>
class ResultRange {
 public:
  using value_type = detail::ResultValue<R>;
  explicit ResultRange(OutcomeRange<R> outcomes) noexcept : outcomes_(std::move(outcomes)) {}

  /// The next result; nullopt at the end. Throws what its task threw; TimeoutError and CancelledError, and no
  /// result is lost.
  std::optional<value_type> next(Duration timeout = infinite, StopToken stop = {}) {
    auto outcome = outcomes_.next(timeout, stop);
    if (!outcome) return std::nullopt;
    return std::move(*outcome).value();
  }

  class iterator {
   public:
    using value_type = ResultRange::value_type;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    explicit iterator(ResultRange& range) : range_(&range) { ++*this; }
    iterator(iterator&&) noexcept = default;
    iterator& operator=(iterator&&) noexcept = default;
    /// Throws what this task threw.
    value_type& operator*() const { return range_->current_->value(); }
    value_type* operator->() const { return &**this; }
    iterator& operator++() {
      range_->current_ = range_->outcomes_.next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept { return i.at_end(); }

   private:
    [[nodiscard]] bool at_end() const noexcept { return !range_->current_.has_value(); }

    ResultRange* range_;
  };
  iterator begin() { return iterator(*this); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  OutcomeRange<R> outcomes_;
  std::optional<Outcome<R>> current_;
};

}  // namespace multiprocessing
