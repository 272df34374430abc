// What became of one task. No counterpart in Python.
#pragma once

#include <multiprocessing/detail/pool_core.hpp>
#include <multiprocessing/errors.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace multiprocessing {

namespace detail {
/// A task without a result has this one.
template <class R>
using ResultValue = std::conditional_t<std::is_void_v<R>, std::monostate, R>;
}  // namespace detail

/// The result of one task, or why there is none.
template <class R>
class Outcome {
 public:
  using value_type = detail::ResultValue<R>;

  Outcome(std::size_t index, value_type value) : index_(index), value_(std::move(value)) {}
  Outcome(std::size_t index, std::shared_ptr<const detail::TaskFailure> failure) noexcept
      : index_(index), failure_(std::move(failure)) {}

  /// The task's position among the inputs, from 0.
  [[nodiscard]] std::size_t index() const noexcept { return index_; }
  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  /// Throws what the task ended with if it has no result.
  [[nodiscard]] value_type& value() & {
    require_value();
    return *value_;
  }
  [[nodiscard]] const value_type& value() const& {
    require_value();
    return *value_;
  }
  [[nodiscard]] value_type&& value() && {
    require_value();
    return *std::move(value_);
  }
  [[nodiscard]] value_type& operator*() & { return value(); }
  [[nodiscard]] const value_type& operator*() const& { return value(); }
  [[nodiscard]] value_type&& operator*() && { return std::move(*this).value(); }
  /// Null if there is a result.
  [[nodiscard]] std::exception_ptr error() const { return failure_ ? failure_->exception() : nullptr; }
  /// How its worker died, if that is what it ended with; else null.
  [[nodiscard]] const WorkerDied* died() const noexcept { return failure_ ? failure_->died() : nullptr; }

 private:
  void require_value() const {
    if (failure_) std::rethrow_exception(failure_->exception());
  }

  std::size_t index_;
  std::optional<value_type> value_;
  std::shared_ptr<const detail::TaskFailure> failure_;
};

}  // namespace multiprocessing
