// A bar for what is gone through. No counterpart in Python's package; as `tqdm` elsewhere.
//
//   for (auto& outcome : multiprocessing::progress(pool.imap_outcomes(f, files), {.total = files.size()})) …
#pragma once

#include <multiprocessing/detail/export.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <utility>

namespace multiprocessing {

struct ProgressOptions {
  std::string description = {};
  /// Of elements; nullopt: the range's size if it knows one, else no bar and no remaining time, only what was
  /// done.
  std::optional<std::uint64_t> total = {};
};

namespace detail {

/// The bar: on a terminal one line that is written again, ten times a second at most; elsewhere a line every
/// ten seconds, and one at the end. Writes to standard error.
class MULTIPROCESSING_EXPORT ProgressBar {
 public:
  explicit ProgressBar(ProgressOptions options);
  ProgressBar(ProgressBar&&) noexcept;
  ProgressBar& operator=(ProgressBar&&) = delete;
  /// Says how far it came.
  ~ProgressBar();
  void advance();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace detail

/// The elements of another range; each that is asked for counts the one before it as done.
template <std::ranges::input_range View>
class ProgressRange {
 public:
  ProgressRange(View view, ProgressOptions options) : view_(std::move(view)), bar_(std::move(options)) {}

  class iterator {
   public:
    using value_type = std::ranges::range_value_t<View>;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    explicit iterator(ProgressRange& range) : range_(&range), position_(std::ranges::begin(range.view_)) {}
    decltype(auto) operator*() const { return *position_; }
    iterator& operator++() {
      ++position_;
      range_->bar_.advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& i, std::default_sentinel_t) { return i.at_end(); }

   private:
    [[nodiscard]] bool at_end() const { return position_ == std::ranges::end(range_->view_); }
    ProgressRange* range_;
    std::ranges::iterator_t<View> position_;
  };
  iterator begin() { return iterator(*this); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  View view_;
  detail::ProgressBar bar_;
};

/// Goes through a range and shows how far it is, with rate and remaining time. An lvalue is looked into, not
/// copied. One thread at a time.
template <std::ranges::viewable_range Range>
auto progress(Range&& range, ProgressOptions options = {}) {
  if constexpr (std::ranges::sized_range<Range>)
    if (!options.total) options.total = static_cast<std::uint64_t>(std::ranges::size(range));
  using View = std::views::all_t<Range>;
  return ProgressRange<View>(std::views::all(std::forward<Range>(range)), std::move(options));
}

}  // namespace multiprocessing
