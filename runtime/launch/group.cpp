// Spawn groups: many processes that succeed together, or of which the first failure stops the others.
#include <algorithm>
#include <multiprocessing/context.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/wait.hpp>
#include <utility>

#include "launch/process_state.hpp"
#include "launch/raised.hpp"
#include "support/deadline.hpp"

namespace multiprocessing {

struct ProcessContext::State {
  std::vector<Process> processes;
  std::vector<std::size_t> running;  ///< positions of those that have not been seen to end
  Duration grace = infinite;

  [[nodiscard]] std::vector<std::size_t> take_ended();
  void stop_others() noexcept;
  void check(std::size_t position);
};

/// Those of `running` that have ended.
std::vector<std::size_t> ProcessContext::State::take_ended() {
  std::vector<std::size_t> ended;
  std::erase_if(running, [&](std::size_t position) {
    if (processes[position].is_alive()) return false;
    ended.push_back(position);
    return true;
  });
  return ended;
}

/// terminate, then kill after the grace. What has ended meanwhile is no error.
void ProcessContext::State::stop_others() noexcept {
  // The failure that is about to be thrown matters more than one of stopping, and one process that cannot be
  // stopped shall not keep the others from it.
  const auto with_each = [this](auto step) {
    for (const auto position : running) try {
        step(processes[position]);
      } catch (...) {
      }
  };
  with_each([](Process& process) { process.terminate(); });
  const auto deadline = runtime::deadline_after(grace);
  with_each([&](Process& process) {
    if (!process.join(runtime::remaining(deadline))) process.kill();
  });
  with_each([](Process& process) { process.join(); });
  running.clear();
}

/// Throws if the process failed, after the others were stopped.
void ProcessContext::State::check(std::size_t position) {
  auto& child = *detail::ProcessFactory::state_of(processes[position]);
  if (child.exitcode() == 0 && child.exit_kind() == ExitKind::exited) return;
  stop_others();
  const int index = static_cast<int>(position);
  if (const auto raised = child.report().raised)
    throw runtime::raised_exception(raised, index, child.pid().value_or(0));
  throw runtime::exited_exception(child, index);
}

ProcessContext::State& ProcessContext::usable() const {
  if (state_ == nullptr) throw ValueError("the group of processes was moved from");
  return *state_;
}

ProcessContext::ProcessContext(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
ProcessContext::ProcessContext(ProcessContext&&) noexcept = default;
ProcessContext& ProcessContext::operator=(ProcessContext&&) noexcept = default;
ProcessContext::~ProcessContext() = default;

bool ProcessContext::join(StopToken stop) {
  while (!join(infinite, stop)) continue;
  return true;
}

bool ProcessContext::join(Duration timeout, StopToken stop) {
  auto& state = usable();
  if (state.running.empty()) return true;
  std::vector<Sentinel> sentinels;
  for (const auto position : state.running) sentinels.push_back(state.processes[position].sentinel());
  connection::wait(sentinels, timeout, std::move(stop));
  for (const auto position : state.take_ended()) state.check(position);
  return state.running.empty();
}

std::vector<int> ProcessContext::pids() const {
  std::vector<int> pids;
  for (const auto& process : usable().processes) pids.push_back(process.pid().value_or(0));
  return pids;
}

std::vector<Process>& ProcessContext::processes() { return usable().processes; }

namespace detail {

void check_group_size(int nprocs) {
  if (nprocs < 1) throw ValueError("a group has at least one process, not " + std::to_string(nprocs));
}

ProcessContext ProcessFactory::group(std::vector<Process> processes, Duration grace) {
  auto state = std::make_unique<ProcessContext::State>();
  state->grace = grace;
  for (std::size_t i = 0; i < processes.size(); ++i) state->running.push_back(i);
  state->processes = std::move(processes);
  return ProcessContext(std::move(state));
}

void ProcessFactory::stop(ProcessContext& group) noexcept { group.state_->stop_others(); }

ProcessContext start_group(std::vector<std::unique_ptr<Task>> tasks, SpawnOptions options) {
  const char* method = get_context(options.start_method).start_method_name();
  std::vector<Process> processes;
  try {
    for (auto& task : tasks) {
      ProcessOptions each;
      each.daemon = options.daemon;
      processes.push_back(ProcessFactory::make({method, "Process"}, std::move(each), std::move(task)));
      processes.back().start(options.stop);
    }
  } catch (...) {
    if (!processes.empty() && !processes.back().pid()) processes.pop_back();
    auto started = ProcessFactory::group(std::move(processes), options.grace);
    ProcessFactory::stop(started);
    throw;
  }
  auto group = ProcessFactory::group(std::move(processes), options.grace);
  if (!options.join) return group;
  try {
    group.join(options.stop);
  } catch (...) {
    ProcessFactory::stop(group);
    throw;
  }
  return group;
}

}  // namespace detail
}  // namespace multiprocessing
