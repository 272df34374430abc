// What a child does between fork() or clone() and its program: with async-signal-safe system calls alone,
// from a struct that was filled before.
#pragma once

#include <array>
#include <type_traits>

namespace multiprocessing::platform::posix {

/// The step at which a start failed.
enum class StartStep : int { none, streams, directory, execute };

/// What the child is told, and what it answers. Everything it points to outlives the start.
struct ChildSide {
  const char* executable = nullptr;
  int program = -1;  ///< the same file, open; -1: only its path is known
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* directory = nullptr;            ///< nullptr: where the parent is
  std::array<int, 3> streams = {-1, -1, -1};  ///< -1: as in the parent; never another standard stream
  int inherited = -1;                         ///< keeps its number
  int niceness = 0;
  bool set_niceness = false;
  int descriptor_bound = 0;  ///< no descriptor is as high, where nobody lists them
  bool close_range = true;   ///< try close_range(), before looking which descriptors there are

  int report_to = -1;  ///< where to write a StartReport, if the answer below cannot be seen by the parent
  StartStep failed_step = StartStep::none;
  int failure = 0;  ///< errno
};
static_assert(std::is_trivially_destructible_v<ChildSide>);

struct StartReport {
  StartStep step = StartStep::none;
  int failure = 0;
};

/// Becomes the program, or leaves with 127 and an answer. All signals are blocked when it begins.
[[noreturn]] void run_child_side(ChildSide& side) noexcept;

}  // namespace multiprocessing::platform::posix
