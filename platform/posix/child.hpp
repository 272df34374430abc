// What this process knows of one child: the state behind ChildProcess, and the list of children whose
// ChildProcess was dropped while they ran.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "contract/process.hpp"
#include "start.hpp"
#include "told_end.hpp"

namespace multiprocessing::platform {

class ChildProcess::State {
 public:
  /// Of no child yet: made before there is one, so that a lack of memory shows in time.
  State() noexcept = default;
  /// Before anybody else knows this object.
  void begin(posix::StartedChild started) noexcept {
    pid_ = started.pid;
    exact_ = std::move(started.sentinel);
    announced_ = std::move(started.announced);
    if (started.lost) status_ = ExitStatus{};
  }
  /// Of a child that another process reaps.
  State(const ProcessIdentity& identity, Handle exact, std::shared_ptr<posix::AnnouncedEnd> announced,
        std::unique_ptr<posix::ToldEnd> told) noexcept
      : pid_(identity.pid),
        start_time_(identity.start_time),
        exact_(std::move(exact)),
        announced_(std::move(announced)),
        told_(std::move(told)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (announced_) announced_->close();
  }

  [[nodiscard]] int pid() const noexcept { return pid_; }
  [[nodiscard]] RawHandle sentinel() const noexcept {
    return announced_ ? announced_->waitable() : exact_.get();
  }
  [[nodiscard]] std::optional<ExitStatus> poll() noexcept;
  [[nodiscard]] std::optional<ExpectedWord> expected_word() noexcept;
  /// As poll, but may say "running" for an instant after the sentinel became ready.
  [[nodiscard]] std::optional<ExitStatus> reap() noexcept;
  [[nodiscard]] Status signal(int number) noexcept;
  /// Whether it is this process that has to reap it.
  [[nodiscard]] bool is_ours_to_reap() const noexcept { return told_ == nullptr; }

  std::unique_ptr<State> next_dropped;  ///< the list of those needs no memory; guarded by its mutex

 private:
  std::optional<ExitStatus> reap_locked() noexcept;
  [[nodiscard]] bool is_held_back() noexcept;
  [[nodiscard]] bool word_is_due() noexcept;
  std::optional<ExitStatus> missing_word() noexcept;
  [[nodiscard]] Status signal_by_pid(int number) const noexcept;

  int pid_ = 0;
  const std::uint64_t start_time_ = 0;              // known where we may have to signal a stranger by pid
  Handle exact_;                                    // where there are exact sentinels
  std::shared_ptr<posix::AnnouncedEnd> announced_;  // elsewhere
  const std::unique_ptr<posix::ToldEnd> told_;      // of a child that another process reaps
  std::mutex mutex_;  // guards what follows, and that nobody signals a pid while it is reaped
  std::optional<ExitStatus> status_;
  std::optional<Deadline> word_deadline_;  // once it has ended and nobody has told how
  bool asked_by_sentinel_ = false;         // the last answer came from the sentinel itself
};

namespace posix {

/// Reaps those of the dropped children that have ended.
void reap_dropped_children();
/// Keeps a child that nobody owns any more until it has ended.
void drop_child(std::unique_ptr<ChildProcess::State> child) noexcept;
/// Around fork(): nobody changes the list while it is held.
[[nodiscard]] std::unique_lock<std::mutex> hold_dropped_children();
/// In a forked child, with the list held: they are the parent's children.
void forget_dropped_children();

}  // namespace posix
}  // namespace multiprocessing::platform
