// The files as the pool wants them: a range of paths that is read once, as far as the workers have come. It
// remembers the files that are with them, so that an outcome can be told whose it is.
#pragma once

#include "walk.hpp"

#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace scan {

/// An input range of paths. One thread at a time.
class Inputs {
 public:
  explicit Inputs(Walk& walk) : walk_(walk) {}

  class iterator {
   public:
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    explicit iterator(Inputs& inputs) : inputs_(&inputs) { ++*this; }
    iterator(iterator&&) noexcept = default;
    iterator& operator=(iterator&&) noexcept = default;
    const std::string& operator*() const { return file_->path; }
    iterator& operator++() {
      file_ = inputs_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& i, std::default_sentinel_t) { return i.file_ == nullptr; }

   private:
    Inputs* inputs_;
    const File* file_ = nullptr;
  };
  iterator begin() { return iterator(*this); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

  /// The file at a position of the range, which is then forgotten.
  File take(std::size_t index) { return std::move(with_workers_.extract(index).mapped()); }

 private:
  const File* next() {
    std::optional<File> file = walk_.next();
    return file ? &with_workers_.emplace(count_++, std::move(*file)).first->second : nullptr;
  }

  Walk& walk_;
  std::size_t count_ = 0;
  std::unordered_map<std::size_t, File> with_workers_;
};

}  // namespace scan
