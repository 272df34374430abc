// What this process knows of itself: its name and lineage, its parent, its stop token, and — in a child — the
// channel to its parent.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <multiprocessing/process.hpp>
#include <multiprocessing/stop_token.hpp>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "contract/channel.hpp"
#include "contract/process.hpp"
#include "contract/wait.hpp"
#include "launch/settings.hpp"
#include "wire/frame.hpp"

namespace multiprocessing::runtime {

/// The child's end of the control channel: frames from the parent, and its end — which is the parent's death,
/// as is the parent's own exit, whichever is seen first: an unrelated process may hold a copy of the channel.
class ParentLink {
 public:
  ParentLink(platform::Channel channel, platform::ProcessIdentity parent);
  /// With a sentinel of the parent that somebody has already; it may be empty.
  ParentLink(platform::Channel channel, platform::ProcessIdentity parent, platform::Handle sentinel) noexcept;

  [[nodiscard]] platform::Channel& channel() noexcept { return channel_; }
  [[nodiscard]] const platform::ProcessIdentity& parent() const noexcept { return parent_; }
  /// The parent's sentinel; nothing where the system has none for processes that are not children.
  [[nodiscard]] const platform::Handle& parent_sentinel() const noexcept { return parent_sentinel_; }
  /// What stands in for it: ready once note_gone() was called. Throws OSError.
  [[nodiscard]] platform::RawHandle gone_event();
  void note_gone() noexcept;
  /// It was gone already when this was made: no sentinel of it was to be had, and none is needed.
  [[nodiscard]] bool parent_is_gone() const noexcept { return parent_is_gone_; }
  /// For another link to the same parent, which takes the place of this one.
  [[nodiscard]] platform::Handle take_parent_sentinel() noexcept { return std::move(parent_sentinel_); }
  /// Waits for the next frame; nullopt when the parent is gone, or sends nonsense. One thread at a time.
  [[nodiscard]] std::optional<Frame> next_frame();
  /// The next frame if all of it is here. One thread at a time.
  [[nodiscard]] std::optional<Frame> arrived_frame();
  /// Between two frames: waits until something has come; false when the parent is gone. One thread at a time.
  [[nodiscard]] bool wait_until_readable() noexcept;
  /// In a forked child of this process: closes the handles.
  void abandon() noexcept;

 private:
  [[nodiscard]] bool wait_for_more() noexcept;
  platform::Channel channel_;
  platform::ProcessIdentity parent_;
  platform::Handle parent_sentinel_;
  bool parent_is_gone_ = false;
  FrameReader reader_;
  std::mutex gone_mutex_;  // guards what follows
  bool gone_ = false;
  std::optional<platform::Wakeup> gone_event_;
};

/// Thread-safe where nothing else is said.
class Self {
 public:
  Self();
  /// The number of the next child, from 1.
  [[nodiscard]] std::uint32_t next_child_number();
  [[nodiscard]] std::vector<std::uint32_t> lineage() const;

  [[nodiscard]] std::string name() const;
  void set_name(std::string name);
  [[nodiscard]] bool daemon() const;
  void set_daemon(bool daemon);
  /// Made at first use in the main program.
  [[nodiscard]] std::vector<std::byte> authkey() const;
  void set_authkey(std::vector<std::byte> key);
  [[nodiscard]] std::optional<std::string> parent_name() const;
  [[nodiscard]] const std::shared_ptr<ParentLink>& link() const noexcept { return link_; }
  [[nodiscard]] StopSource& stop_source() noexcept { return stop_; }
  [[nodiscard]] bool forked() const noexcept { return forked_; }
  [[nodiscard]] bool is_child() const noexcept { return link_ != nullptr; }

  /// Whether this child outlives its parent.
  [[nodiscard]] bool keeps_running() const noexcept { return keep_running_; }
  void keep_running(bool keep) noexcept { keep_running_ = keep; }
  /// True for the one caller who has to start the thread that follows the parent's requests. Never in a copy
  /// of this process that the application forked: the requests are not for it.
  [[nodiscard]] bool begin_following() noexcept;
  /// Whether this is such a copy.
  [[nodiscard]] bool is_copy() const noexcept;
  void stop_following() noexcept { following_ = false; }
  /// How many threads the library has besides the reactor's and that of callbacks: they hold no lock while a
  /// process forks that its child could want.
  [[nodiscard]] int own_threads() const noexcept { return own_threads_; }
  void add_own_thread() noexcept { ++own_threads_; }
  void remove_own_thread() noexcept { --own_threads_; }

  /// Becomes the child that `settings` describe. Before any thread of ours runs.
  void become(const ChildSettings& settings, std::shared_ptr<ParentLink> link, bool forked);

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::vector<std::unique_ptr<State>> abandoned_;  ///< the parent's, in a forked child
  std::shared_ptr<ParentLink> link_;
  StopSource stop_;
  bool forked_ = false;
  bool keep_running_ = false;
  int pid_ = 0;  ///< of the child that this is
  std::atomic<bool> following_{false};
  std::atomic<int> own_threads_{0};
};

/// Never destroyed.
[[nodiscard]] Self& self();

/// "Process-1:2".
[[nodiscard]] std::string default_name(const char* class_name, const std::vector<std::uint32_t>& lineage);

/// In a child: ends this process when the parent is gone, unless it shall keep running. Throws OSError.
void watch_parent(ParentLink& link, bool keep_running);
/// This process's stop token. In a child from the first call on a thread sets it when the parent asks or is
/// gone: who never looks needs no thread. Throws OSError.
[[nodiscard]] StopToken followed_stop_token();
/// In a child: ready when the parent is gone. Stays the link's. Throws OSError.
[[nodiscard]] platform::RawHandle end_of_parent();

}  // namespace multiprocessing::runtime
