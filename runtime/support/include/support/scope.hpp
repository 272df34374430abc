// ScopeExit: undoes something when a scope is left, in whatever way.
#pragma once

#include <utility>

namespace multiprocessing::runtime {

/// Calls `function` in its destructor, unless dismissed. `function` must not throw.
template <class Function>
class [[nodiscard]] ScopeExit {
 public:
  explicit ScopeExit(Function function) noexcept : function_(std::move(function)) {}
  ScopeExit(const ScopeExit&) = delete;
  ScopeExit& operator=(const ScopeExit&) = delete;
  ~ScopeExit() {
    if (armed_) function_();
  }
  void dismiss() noexcept { armed_ = false; }

 private:
  Function function_;
  bool armed_ = true;
};

}  // namespace multiprocessing::runtime
