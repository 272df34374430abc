// How a child comes into being: the one interface behind every start method, and the table of them.
#pragma once

#include <array>
#include <memory>
#include <multiprocessing/detail/task.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/process_options.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "contract/clock.hpp"
#include "contract/process.hpp"
#include "launch/settings.hpp"

namespace multiprocessing::detail {
class InFlight;
}

namespace multiprocessing::runtime {

/// What is to be run, seen from the strategy: to be named and written down, or to be run here in a forked
/// child.
class Subject {
 public:
  virtual ~Subject() = default;
  /// Throws TypeError if no other process can make it.
  [[nodiscard]] virtual detail::ChildTarget target() const = 0;
  virtual void encode(detail::Encoder& encoder) const = 0;
  /// Runs it; its result goes to `result` unless that is null.
  virtual void run(detail::Encoder* result) = 0;
  /// In a forked child, before run(): the object that was started stands for this process now.
  virtual void now_in_child() noexcept = 0;
};

struct StartRequest {
  ChildSettings settings;  ///< all but the target and the parent's identity, which the strategy adds
  const ProcessOptions& options;
  Subject& subject;
  std::array<platform::StreamBinding, 3> streams;
  detail::InFlight& in_flight;  ///< owns the handles that the start opens
  const StopToken& stop;        ///< gives up delivering the arguments
  platform::Deadline deadline;  ///< until when they must be delivered
};

class StartStrategy {
 public:
  virtual ~StartStrategy() = default;
  /// "spawn", "fork" …
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// Starts the child at the other end of `request.in_flight`. Throws OSError, RuntimeError, TypeError,
  /// SerializationError, CancelledError, TimeoutError; there is no child then. Blocks.
  [[nodiscard]] virtual platform::ChildProcess start(StartRequest& request) = 0;
};

[[nodiscard]] std::unique_ptr<StartStrategy> make_spawn_strategy();
[[nodiscard]] std::unique_ptr<StartStrategy> make_fork_strategy();

/// The strategy of that name, or of the start method in force for an empty one (which fixes the default, as
/// asking does in Python). Throws ValueError for an unknown name. Declared here and defined by
/// runtime/context, which alone knows all start methods.
[[nodiscard]] StartStrategy& strategy_for(std::string_view name);
/// The name of the start method in force; fixes nothing.
[[nodiscard]] std::string start_method_in_force();
/// In a child: what its parent used.
void adopt_start_method(std::string method);
/// In a child, before its target is looked up by a name: some start methods have tasks of their own. Not with
/// the registry's mutex held.
void register_own_tasks();

/// What set_executable() chose.
struct Executable {
  std::string path;  ///< empty: this program
  std::vector<std::string> prefix;
};
[[nodiscard]] Executable chosen_executable();
void choose_executable(Executable executable);

}  // namespace multiprocessing::runtime
