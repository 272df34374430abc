// Following the end of a child in the reactor's thread.
#pragma once

#include <functional>
#include <memory>

#include "contract/event_loop.hpp"
#include "launch/process_state.hpp"

namespace multiprocessing::runtime {

/// Calls a function when ProcessState::advance() is worth a look, until it returns false. One that has ended
/// without a word of how is looked at again with that word, or when that was given up. In the reactor's
/// thread.
class EndWatch {
 public:
  EndWatch() = default;
  EndWatch(const EndWatch&) = delete;
  EndWatch& operator=(const EndWatch&) = delete;

  /// Whatever `look` keeps lives until cancel(). Any thread, before anything else. Throws OSError.
  static std::shared_ptr<EndWatch> begin(const std::shared_ptr<detail::ProcessState>& child,
                                         std::function<bool()> look);
  void cancel() noexcept;

 private:
  bool wait_for_word(const std::weak_ptr<detail::ProcessState>& child, const std::function<bool()>& look);

  platform::EventLoop::Id end_ = 0;
  platform::EventLoop::Id word_ = 0;
  platform::EventLoop::Id late_ = 0;
};

}  // namespace multiprocessing::runtime
