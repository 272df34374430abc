// What a worker of a pool runs, and how it is started.
#pragma once

#include <memory>
#include <multiprocessing/task.hpp>
#include <string>

#include "contract/channel.hpp"
#include "launch/process_state.hpp"
#include "launch/start_strategy.hpp"

namespace multiprocessing::runtime {

/// A worker's beginning: the initializer, then tasks from the channel until its end.
class WorkerSubject : public Subject {
 public:
  /// `channel` is the worker's end.
  WorkerSubject(std::shared_ptr<platform::Channel> channel, std::shared_ptr<detail::Task> initializer);

  [[nodiscard]] detail::ChildTarget target() const override;
  void encode(detail::Encoder& encoder) const override;
  void run(detail::Encoder* result) override;
  void now_in_child() noexcept override;
  /// Must be set before it is started.
  void set_state(std::shared_ptr<detail::ProcessState> state) noexcept { state_ = std::move(state); }

 private:
  std::shared_ptr<platform::Channel> channel_;
  std::shared_ptr<detail::Task> initializer_;
  std::shared_ptr<detail::ProcessState> state_;
};

}  // namespace multiprocessing::runtime
