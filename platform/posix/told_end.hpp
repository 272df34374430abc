// What another process tells of a child that it forked for this one: the messages, and who listens. Sender
// and receiver are on one machine and of one build of this library. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "contract/channel.hpp"
#include "contract/process.hpp"

namespace multiprocessing::platform::posix {

/// The first message: the child, or why there is none.
struct Introduction {
  static constexpr std::uint32_t expected_magic = 0x4b50434d;
  /// How the receiver comes to a sentinel.
  enum class Sentinel : std::uint8_t {
    follows,  ///< it is sent behind this message
    by_pid,   ///< it is opened by pid, and checked by start time
    over,     ///< it has ended already
  };
  std::uint32_t magic = expected_magic;
  std::int32_t pid = 0;  ///< 0: there is no child
  std::uint64_t start_time = 0;
  std::int32_t native = 0;  ///< the error's, when there is none
  Condition condition = Condition::other;
  Sentinel sentinel = Sentinel::over;
};
static_assert(std::is_trivially_copyable_v<Introduction>);

/// The second and last one.
struct Word {
  static constexpr std::uint32_t expected_magic = 0x444e4550;
  std::uint32_t magic = expected_magic;
  std::int32_t code = 0;
  ExitStatus::Kind kind = ExitStatus::Kind::unknown;
};
static_assert(std::is_trivially_copyable_v<Word>);

class ToldEnd {
 public:
  explicit ToldEnd(Channel from) noexcept : from_(std::move(from)) {}

  /// Reads what has come, and does not wait: how it ended, once that was told.
  [[nodiscard]] std::optional<ExitStatus> ask() noexcept;
  /// Whether nobody will say more.
  [[nodiscard]] bool is_over() const noexcept { return over_; }
  /// Ready when ask() has something to read.
  [[nodiscard]] RawHandle readable() const noexcept { return from_.readable(); }

 private:
  [[nodiscard]] std::optional<ExitStatus> word() const noexcept;

  Channel from_;
  std::array<std::byte, sizeof(Word)> bytes_{};
  std::size_t filled_ = 0;
  bool over_ = false;  ///< nobody says more
};

}  // namespace multiprocessing::platform::posix
