// Following the end of a child in the reactor's thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "contract/event_loop.hpp"
#include "launch/process_state.hpp"

namespace multiprocessing::runtime {

/// Calls a function when ProcessState::advance() is worth a look, until it returns false. One that has ended
/// without a word of how is looked at again with that word, or when that was given up. In the reactor's
/// thread.
class EndWatch : public std::enable_shared_from_this<EndWatch> {
 public:
  explicit EndWatch(const std::shared_ptr<detail::ProcessState>& child);
  EndWatch(const EndWatch&) = delete;
  EndWatch& operator=(const EndWatch&) = delete;

  /// Whatever `look` keeps lives until cancel(). Any thread, before anything else. Throws OSError.
  static std::shared_ptr<EndWatch> begin(const std::shared_ptr<detail::ProcessState>& child,
                                         std::function<bool()> look);
  /// Any thread; as EventLoop::cancel().
  void cancel() noexcept;

 private:
  using Look = std::shared_ptr<const std::function<bool()>>;

  [[nodiscard]] platform::Result<platform::EventLoop::Id> on_sentinel(const Look& look);
  bool ended(const Look& look);
  bool waits_for_word(const Look& look);
  void look_again(const Look& look);

  const platform::RawHandle sentinel_;
  const std::weak_ptr<detail::ProcessState> child_;
  std::atomic<bool> cancelled_{false};
  // Written in the loop's thread, but for the first.
  std::atomic<platform::EventLoop::Id> end_{0};
  std::atomic<platform::EventLoop::Id> again_{0};
  std::atomic<platform::EventLoop::Id> word_{0};
  std::atomic<platform::EventLoop::Id> late_{0};
};

}  // namespace multiprocessing::runtime
