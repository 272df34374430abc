// Several ranges as one of tuples, as long as the shortest. C++23 has std::views::zip.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <ranges>
#include <tuple>
#include <utility>

namespace multiprocessing::detail {

/// Input ranges side by side. It is gone through once and stays where it is meanwhile. As Python's zip it
/// asks them in their order, and no more of them once one has ended.
template <std::ranges::input_range... Views>
class Zipped : public std::ranges::view_base {
 public:
  explicit Zipped(Views... views) : views_(std::move(views)...) {}

  class iterator {
   public:
    using value_type = std::tuple<std::ranges::range_reference_t<Views>...>;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    explicit iterator(Zipped& range) : range_(&range) {}
    iterator(iterator&&) noexcept = default;
    iterator& operator=(iterator&&) noexcept = default;
    value_type operator*() const { return range_->current(Each()); }
    iterator& operator++() {
      range_->ended_ = !range_->advance(Each());
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept { return i.at_end(); }

   private:
    [[nodiscard]] bool at_end() const noexcept { return range_->ended_; }

    Zipped* range_;
  };
  iterator begin() {
    ended_ = !enter(Each());
    return iterator(*this);
  }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  using Each = std::index_sequence_for<Views...>;

  template <std::size_t i>
  [[nodiscard]] bool is_here() {
    return *std::get<i>(positions_) != std::ranges::end(std::get<i>(views_));
  }
  template <std::size_t... i>
  bool enter(std::index_sequence<i...>) {
    return ((std::get<i>(positions_).emplace(std::ranges::begin(std::get<i>(views_))), is_here<i>()) && ...);
  }
  template <std::size_t... i>
  bool advance(std::index_sequence<i...>) {
    return ((++*std::get<i>(positions_), is_here<i>()) && ...);
  }
  template <std::size_t... i>
  auto current(std::index_sequence<i...>) {
    return typename iterator::value_type(**std::get<i>(positions_)...);
  }

  std::tuple<Views...> views_;
  std::tuple<std::optional<std::ranges::iterator_t<Views>>...> positions_;
  bool ended_ = false;
};

}  // namespace multiprocessing::detail
