// The start method "spawn": the program is executed anew, and everything that its child needs is written to
// it.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/freeze_support.hpp>
#include <system_error>
#include <utility>

#include "contract/system.hpp"
#include "launch/child_main.hpp"
#include "launch/process_state.hpp"
#include "launch/record.hpp"
#include "launch/start_strategy.hpp"
#include "support/errors.hpp"

namespace multiprocessing::runtime {
namespace {

struct Program {
  std::string launch;             ///< what is executed
  std::vector<std::string> head;  ///< argv up to and with the program's own name
};

Program choose_program(const ChildSettings& settings) {
  const auto& prefix = settings.executable_prefix;
  std::string path = settings.executable;
  std::string name = path;
  if (path.empty()) {
    const auto own = value_or_throw(platform::executable_path(), "this program");
    path = prefix.empty() ? own.launch : own.real;
    name = own.real;
  }
  if (prefix.empty()) return {path, {name}};
  Program program{prefix.front(), prefix};
  program.head.push_back(path);
  return program;
}

platform::LaunchRequest plan_launch(const StartRequest& request, platform::RawHandle channel) {
  auto program = choose_program(request.settings);
  platform::LaunchRequest launch;
  launch.executable = std::move(program.launch);
  launch.arguments = std::move(program.head);
  launch.arguments.emplace_back(bootstrap_flag);
  launch.arguments.push_back("channel=" + std::to_string(channel));
  launch.arguments.push_back("parent=" + std::to_string(request.settings.parent_pid) + ':' +
                             std::to_string(request.settings.parent_start_time));
  launch.environment = environment_entries(request.options);
  launch.working_directory = request.options.working_directory;
  launch.streams = request.streams;
  launch.inherited = channel;
  launch.priority = static_cast<platform::PriorityClass>(request.options.priority);
  launch.ends_with_parent = !request.settings.keep_running;
  launch.new_console = request.options.new_console;
  return launch;
}

class SpawnStrategy : public StartStrategy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "spawn"; }

  [[nodiscard]] platform::ChildProcess start(StartRequest& request) override {
    if (!can_be_re_executed()) start_without_freeze_support(request.settings);
    const auto record = write_record(request);
    request.in_flight.open_channel();
    const auto launch = plan_launch(request, request.in_flight.child_end());
    auto child = platform::launch(launch);
    if (!child) throw_launch_error(child.error(), launch);
    request.in_flight.close_child_ends();
    deliver_record(*child, record, request);
    return *std::move(child);
  }

 private:
  /// A plug-in, whose host's main() is not its own, starts another program: a helper, which set_executable()
  /// named.
  static void start_without_freeze_support(const ChildSettings& settings) {
    if (settings.executable.empty() || is_this_program(settings.executable) || was_started_as_child())
      throw RuntimeError(
          "start(): begin main() with multiprocessing::freeze_support(); the child is this program "
          "executed anew, and would run main() instead of its target");
    if (exit_rule_is_due()) std::atexit(detail::multiprocessing_at_exit);
  }

  /// A child that did not become one: its parent named this program, by a name that did not tell.
  static bool was_started_as_child() {
    const auto arguments = platform::command_line();
    return arguments && arguments->size() > 1 && (*arguments)[1] == bootstrap_flag;
  }

  static bool is_this_program(const std::string& name) {
    const auto own = platform::executable_path();
    const auto path = platform::find_program(name);
    std::error_code error;  // what cannot be compared is not there
    return own && path && std::filesystem::equivalent(utf8_path(*path), utf8_path(own->real), error);
  }

  static std::filesystem::path utf8_path(const std::string& path) {
    return std::u8string(path.begin(), path.end());
  }

  [[noreturn]] static void throw_launch_error(const platform::Error& error,
                                              const platform::LaunchRequest& launch) {
    const bool folder = std::string_view(error.call) == "chdir";
    throw_os_error(error, folder ? launch.working_directory : launch.executable);
  }
};

}  // namespace

std::unique_ptr<StartStrategy> make_spawn_strategy() { return std::make_unique<SpawnStrategy>(); }

}  // namespace multiprocessing::runtime
