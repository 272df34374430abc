// A function with its arguments, as a value: what initializes the workers of a pool.
#pragma once

#include <multiprocessing/detail/task.hpp>

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace multiprocessing {

/// Copies name the same call. Made by task(), or in place: `{.initializer = {f, 1, "a"}}`.
class Task {
 public:
  /// None.
  Task() noexcept = default;
  /// Calls `f(args...)`. What cannot travel does not compile.
  template <class F, class... Args>
  requires(!std::same_as<std::remove_cvref_t<F>, Task>) Task(F f, Args&&... args)
      : task_(detail::make_task<false>(std::move(f), std::forward<Args>(args)...)) {}

  [[nodiscard]] explicit operator bool() const noexcept { return task_ != nullptr; }
  [[nodiscard]] const std::shared_ptr<detail::Task>& get() const noexcept { return task_; }

 private:
  std::shared_ptr<detail::Task> task_;
};

template <class F, class... Args>
[[nodiscard]] Task task(F f, Args&&... args) {
  return Task(std::move(f), std::forward<Args>(args)...);
}

}  // namespace multiprocessing
