// Spawn groups: many processes that succeed together, or of which the first failure stops the others.
#include <algorithm>
#include <chrono>
#include <memory>
#include <multiprocessing/context.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/wait.hpp>
#include <utility>
#include <vector>

#include "launch/process_state.hpp"
#include "launch/raised.hpp"
#include "support/deadline.hpp"

namespace multiprocessing {

/// The group's own view of them: their user may close the objects, or move them to elsewhere.
struct ProcessContext::State {
  struct Member {
    std::size_t position;
    std::shared_ptr<detail::ProcessState> child;
  };

  std::vector<Process> processes;
  std::vector<int> pids;
  std::vector<Member> running;  ///< those that have not been seen to end
  Duration grace = infinite;

  void wait(Duration timeout, StopToken stop) const;
  [[nodiscard]] std::vector<Member> take_ended();
  void stop_others() noexcept;
  void check(const Member& member);
};

namespace {

/// One that was closed is refused, and has ended.
bool has_ended(detail::ProcessState& child) try { return !child.is_alive(); } catch (const ValueError&) {
  return true;
}

}  // namespace

/// Until one of them has ended.
void ProcessContext::State::wait(Duration timeout, StopToken stop) const {
  std::vector<Sentinel> sentinels;
  for (const auto& member : running) try {
      sentinels.push_back(member.child->sentinel());
    } catch (const ValueError&) {
      timeout = std::chrono::seconds(0);  // it was closed
    }
  connection::wait(sentinels, timeout, std::move(stop));
}

/// Those of `running` that have ended.
std::vector<ProcessContext::State::Member> ProcessContext::State::take_ended() {
  std::vector<Member> ended, alive;  // apart: without memory for a look `running` is as it was
  for (const auto& member : running) (has_ended(*member.child) ? ended : alive).push_back(member);
  running.swap(alive);
  return ended;
}

/// terminate, then kill after the grace. What has ended meanwhile is no error.
void ProcessContext::State::stop_others() noexcept {
  // The failure that is about to be thrown matters more than one of stopping, and one process that cannot be
  // stopped shall not keep the others from it.
  const auto with_each = [this](auto step) {
    for (const auto& member : running) try {
        step(*member.child);
      } catch (...) {
      }
  };
  with_each([](detail::ProcessState& child) { child.send(platform::StopSignal::terminate, "terminate"); });
  const auto deadline = runtime::deadline_after(grace);
  with_each([&](detail::ProcessState& child) {
    if (!child.join(deadline, {})) child.send(platform::StopSignal::kill, "kill");
  });
  with_each([](detail::ProcessState& child) { child.join(platform::Deadline::never(), {}); });
  running.clear();
}

/// Throws if the process failed, after the others were stopped.
void ProcessContext::State::check(const Member& member) {
  auto& child = *member.child;
  const auto status = child.exit_status();
  if (status && status->kind == platform::ExitStatus::Kind::exited && status->code == 0) return;
  stop_others();
  const int index = static_cast<int>(member.position);
  if (const auto raised = child.report().raised)
    throw runtime::raised_exception(raised, index, child.started_pid());
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
  state.wait(timeout, std::move(stop));
  for (const auto& member : state.take_ended()) state.check(member);
  return state.running.empty();
}

std::vector<int> ProcessContext::pids() const { return usable().pids; }

std::vector<Process>& ProcessContext::processes() { return usable().processes; }

namespace detail {

void check_group_size(int nprocs) {
  if (nprocs < 1) throw ValueError("a group has at least one process, not " + std::to_string(nprocs));
}

ProcessContext ProcessFactory::group(std::vector<Process> processes, Duration grace) {
  auto state = std::make_unique<ProcessContext::State>();
  state->grace = grace;
  for (std::size_t i = 0; i < processes.size(); ++i) {
    const auto& child =
        state->running.emplace_back(ProcessContext::State::Member{i, state_of(processes[i])}).child;
    state->pids.push_back(child->started_pid());
  }
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
