// One worker as its pool sees it: its process, its channel, and the chunks that were handed to it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <multiprocessing/detail/pool_core.hpp>
#include <optional>
#include <vector>

#include "contract/channel.hpp"
#include "contract/event_loop.hpp"
#include "launch/end_watch.hpp"
#include "launch/process_state.hpp"
#include "pool/pool_job.hpp"
#include "pool/task_frame.hpp"

namespace multiprocessing::runtime {

/// A chunk in the hands of a worker, or waiting to be handed out again.
struct Assignment {
  std::shared_ptr<PoolJob> job;
  TaskChunk chunk;
  std::uint64_t number = 0;   ///< of this handing-out
  std::uint32_t done = 0;     ///< items whose results are known
  unsigned kills = 0;         ///< workers that died of the item after those
  unsigned returns = 0;       ///< workers that died and had not read it
  bool one_by_one = false;    ///< so that the item a worker dies of is known
  bool clock_runs = false;    ///< of the time limit of the item after those
  std::size_t wire_size = 0;  ///< bytes in the channel until its result comes
  std::uint64_t microseconds = 0;

  [[nodiscard]] std::uint32_t left() const noexcept { return chunk.count - done; }
};

/// They go from one list to the next in their nodes: what a worker has in its hands when it dies is handed
/// out again without any memory.
using Assignments = std::list<Assignment>;

/// Writes that may block, in a thread of their own while there are any.
class Feeder : public std::enable_shared_from_this<Feeder> {
 public:
  /// `failed` is called in its thread when a write fails that was not given up. Throws OSError.
  Feeder(std::shared_ptr<platform::Channel> channel, std::function<void()> failed);
  /// Takes the bytes, to be written in order; false if there is no thread for them. `written`, which may be
  /// empty, is called in that thread once they are.
  [[nodiscard]] bool push(std::vector<std::byte>& bytes, std::function<void()> written);
  [[nodiscard]] bool busy() const;
  /// Gives up what was not written; `then` is called when no thread writes any more.
  void stop(std::function<void()> then);

 private:
  void run() noexcept;
  bool note_broken() noexcept;
  struct State;
  std::shared_ptr<State> state_;
};

/// All members are guarded by the pool's mutex; `in_flight`, and writing to the channel, belong to who has
/// set `writing`.
struct PoolWorker {
  /// What a channel takes in although its reader is asleep, on every system: the platform layer sees to it.
  static constexpr std::size_t written_at_once = std::size_t{32} * 1024;

  std::shared_ptr<detail::ProcessState> process;
  std::shared_ptr<platform::Channel> channel;
  int pid = 0;
  platform::EventLoop::Id input = 0;
  std::shared_ptr<runtime::EndWatch> ended;
  bool ready = false;     ///< its initializer has returned
  bool retiring = false;  ///< it was told that no more tasks come
  bool doomed = false;    ///< it is being stopped
  bool lost = false;      ///< because its channel has ended: most likely it is dying, of what it does
  bool gone = false;
  Assignments sent;           ///< the first is being run
  std::size_t assigned = 0;   ///< chunks in all
  bool takes_more = false;    ///< of hand_out(), while it goes round
  std::uint64_t flushed = 0;  ///< the last assignment that was written to it, or given to its feeder
  std::uint64_t written = 0;  ///< the last one of which the pool knows that all of it is in the channel
  std::vector<bool> knows;    ///< functions by number
  TaskFrameReader reader;
  std::vector<std::byte> out;        ///< to be written
  std::vector<std::byte> in_flight;  ///< being written, by whoever has set `writing`
  bool writing = false;              ///< it may be without the pool's mutex: nobody else writes meanwhile
  std::size_t unread = 0;            ///< bytes that it may not have read yet
  std::shared_ptr<Feeder> feeder;
  std::function<void(std::uint64_t)>
      note_written;              ///< called by the feeder's thread, of one with a time limit
  std::function<void()> let_go;  ///< called once its feeder has stopped; made when there was memory
  double pace = 1e9;             ///< microseconds a chunk, a moving average
  platform::Deadline head_deadline = platform::Deadline::never();
  platform::Deadline timer_at = platform::Deadline::never();
  bool timer_missing = false;              ///< for head_deadline none could be set
  platform::EventLoop::Id timer = 0;       ///< for timer_at
  platform::EventLoop::Id kill_timer = 0;  ///< once it is doomed
  std::shared_ptr<const detail::TaskFailure> unusable;

  [[nodiscard]] bool available() const noexcept { return ready && !retiring && !doomed && !gone; }
  /// How many chunks it may have at a time: as many short ones as hide the way to and fro.
  [[nodiscard]] std::size_t depth() const noexcept {
    constexpr double ahead = 100;  // microseconds
    return pace >= ahead ? 1 : 1 + static_cast<std::size_t>(std::min(63.0, ahead / std::max(pace, 0.1)));
  }
  /// Writes what is in `out` without waiting for the worker; what cannot be written now stays there, and so
  /// it does while it is being written to: who does that comes back for it. False: the channel is broken.
  bool flush() noexcept;

  /// The same in three steps, the middle one without the mutex, for as much as the channel takes at once.
  struct Write {
    std::uint64_t last;  ///< number of its last assignment
    std::uint64_t before_last;
    bool begun = false;
    bool done = false;
  };
  [[nodiscard]] bool may_write() const;
  [[nodiscard]] Write begin_write() noexcept;
  void write(Write& write) noexcept;
  /// False: the channel is broken.
  [[nodiscard]] bool end_write(const Write& write) noexcept;

 private:
  [[nodiscard]] std::function<void()> when_written(std::uint64_t number) const;
};

}  // namespace multiprocessing::runtime
