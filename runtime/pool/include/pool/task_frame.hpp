// What a pool and its workers say to each other, on a channel of their own: frames of a fixed header and a
// body. Read in large pieces, so that many small ones cost one call of the system.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "contract/channel.hpp"
#include "support/attention.hpp"

namespace multiprocessing::runtime {

enum class TaskFrameKind : std::uint32_t {
  function = 1,  ///< pool → worker: the code that `function` stands for from now on; a TargetRecord
  task = 2,      ///< pool → worker: `count` items of which the first `first` are known; data, then items
  end = 3,       ///< pool → worker: no more tasks
  ready = 4,     ///< worker → pool: the initializer has returned
  unusable = 5,  ///< worker → pool: the initializer threw; an ExceptionReport
  results = 6,   ///< worker → pool: of `count` items from `first` on
  failed = 7,    ///< worker → pool: item `first` threw; an ExceptionReport
};

struct TaskFrame {
  TaskFrameKind kind = TaskFrameKind::end;
  std::uint32_t function = 0;
  std::uint64_t task = 0;  ///< the number of this assignment
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  std::uint32_t one_by_one = 0;    ///< of a task: each result is reported before the next item begins
  std::uint32_t microseconds = 0;  ///< of results and failures: what these items took
  std::uint64_t size = 0;          ///< of the body
};

inline constexpr std::size_t task_frame_size = 40;

/// Appends header and body, which may come in two pieces.
void append_frame(std::vector<std::byte>& bytes, TaskFrame frame, std::span<const std::byte> body = {},
                  std::span<const std::byte> rest = {});

/// Puts frames together. A claimed size buys no memory: a body grows as its bytes come. Not thread-safe.
class TaskFrameReader {
 public:
  enum class State : std::uint8_t { waiting, complete, ended, corrupt };

  /// One whole frame of what has arrived, or `waiting`; never waits.
  State advance(platform::Channel& channel) { return advance(channel, platform::Deadline::now()); }
  /// The same, but waits for it: never `waiting`.
  State wait(platform::Channel& channel) { return advance(channel, platform::Deadline::never()); }
  /// After `complete`, and until the next call.
  [[nodiscard]] const TaskFrame& frame() const noexcept { return frame_; }
  [[nodiscard]] std::vector<std::byte>& body() noexcept { return body_; }
  /// After `complete`: there is another whole one here already. Nobody else knows of it: what watches the
  /// channel sees only what was not read.
  [[nodiscard]] bool holds_frame() const noexcept;

 private:
  State advance(platform::Channel& channel, platform::Deadline deadline);
  bool begin_frame() noexcept;
  [[nodiscard]] std::span<std::byte> place_to_read();

  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool in_body_ = false;
  bool delivered_ = false;
  bool drained_ = false;  ///< the last read got less than it asked for
  TaskFrame frame_;
  std::vector<std::byte> body_;
  std::size_t filled_ = 0;
  Attention attention_;  ///< of wait()
};

}  // namespace multiprocessing::runtime
