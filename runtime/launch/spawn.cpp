// The start method "spawn": the program is executed anew, and everything that its child needs is written to
// it.
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/freeze_support.hpp>
#include <system_error>
#include <utility>

#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "launch/child_main.hpp"
#include "launch/process_state.hpp"
#include "launch/self.hpp"
#include "launch/start_strategy.hpp"
#include "support/errors.hpp"
#include "support/wait.hpp"
#include "wire/frame.hpp"
#include "wire/handles.hpp"

namespace multiprocessing::runtime {
namespace {

/// How long a child that has closed its end of the control channel gets to end by itself.
constexpr std::chrono::seconds time_to_end(1);

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

std::optional<std::vector<std::string>> environment_of(const ProcessOptions& options) {
  if (!options.environment) return std::nullopt;
  std::vector<std::string> entries;
  for (const auto& [name, value] : *options.environment) entries.push_back(name + '=' + value);
  return entries;
}

/// The bootstrap frame's body: settings, then the target's own data.
void write_record(StartRequest& request, detail::Encoder& record) {
  const auto parent = platform::current_identity();
  request.settings.parent_pid = parent.pid;
  request.settings.parent_start_time = parent.start_time;
  auto child = request.subject.target();
  request.settings.target = describe_target(child.target, std::move(child.type_name));
  request.settings.target.is_object = child.is_object;
  record.allow_handles();
  detail::encode(record, request.settings);
  request.subject.encode(record);
  if (record.handles().size() > most_handles)
    throw ValueError("start(): the arguments hold " + std::to_string(record.handles().size()) +
                     " handles, and no more than " + std::to_string(most_handles) + " can travel");
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
  launch.environment = environment_of(request.options);
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
    detail::Encoder record;
    write_record(request, record);
    request.in_flight.open_channel();
    const auto launch = plan_launch(request, request.in_flight.child_end());
    auto child = platform::launch(launch);
    if (!child) throw_launch_error(child.error(), launch);
    request.in_flight.close_child_ends();
    deliver(*child, record, request);
    return *std::move(child);
  }

 private:
  /// A plug-in, whose host's main() is not its own, starts another program: a helper, which set_executable()
  /// named.
  static void start_without_freeze_support(const ChildSettings& settings) {
    if (settings.executable.empty() || is_this_program(settings.executable))
      throw RuntimeError(
          "start(): begin main() with multiprocessing::freeze_support(); the child is this program "
          "executed anew, and would run main() instead of its target");
    if (exit_rule_is_due()) std::atexit(detail::multiprocessing_at_exit);
  }

  static bool is_this_program(const std::string& path) {
    const auto own = platform::executable_path();
    std::error_code error;  // what cannot be compared is not there
    return own && std::filesystem::equivalent(utf8_path(path), utf8_path(own->real), error);
  }

  static std::filesystem::path utf8_path(const std::string& path) {
    return std::u8string(path.begin(), path.end());
  }

  [[noreturn]] static void throw_launch_error(const platform::Error& error,
                                              const platform::LaunchRequest& launch) {
    const bool folder = std::string_view(error.call) == "chdir";
    throw_os_error(error, folder ? launch.working_directory : launch.executable);
  }

  /// `receiver`: the child that holds the other end itself; none where a launcher stands between.
  static platform::Status send_record(platform::Channel& channel, platform::RawHandle receiver,
                                      const detail::Encoder& record, platform::Deadline deadline,
                                      const platform::Wakeup* wakeup) {
    if (const auto handles = record.handles(); !handles.empty()) {
      detail::Encoder count;
      count.number(static_cast<std::uint32_t>(handles.size()));
      if (auto sent = send_frame(channel, FrameKind::handles, count.bytes(), deadline, wakeup); !sent)
        return sent;
      const auto sent = receiver == platform::no_handle
                            ? send_all_handles(channel, handles, deadline, wakeup)
                            : give_all_handles(channel, receiver, handles, deadline, wakeup);
      if (!sent) return sent;
    }
    return send_frame(channel, FrameKind::bootstrap, record.bytes(), deadline, wakeup);
  }

  static void deliver(platform::ChildProcess& child, const detail::Encoder& record, StartRequest& request) {
    const StopWakeup wakeup(request.stop);
    const bool launched_by_another = !request.settings.executable_prefix.empty();
    const auto sent = send_record(request.in_flight.parent_end(),
                                  launched_by_another ? platform::no_handle : child.sentinel(), record,
                                  request.deadline, wakeup.get());
    if (sent) return;
    const bool ended = sent.error().condition == platform::Condition::broken;
    // A child that ended before it read all of it is a child that ended: its exit code tells how. The channel
    // breaks a moment before the end is known, and a kill in between would take the place of that code.
    if (ended)
      static_cast<void>(platform::wait_one(child.sentinel(), platform::Deadline::after(time_to_end)));
    // Whoever reads no more shall not wait for the rest either.
    static_cast<void>(child.send(platform::StopSignal::kill));
    if (ended) return;
    // Nobody will ask for it any more: it is to be gone when the failure is told.
    static_cast<void>(platform::wait_one(child.sentinel(), platform::Deadline::after(time_to_end)));
    static_cast<void>(child.poll());
    throw_os_error(sent.error(), "the arguments of the child");
  }
};

}  // namespace

std::unique_ptr<StartStrategy> make_spawn_strategy() { return std::make_unique<SpawnStrategy>(); }

}  // namespace multiprocessing::runtime
