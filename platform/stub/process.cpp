// Processes that do not start.
#include "contract/process.hpp"

#include <cstdlib>

#include "contract/fault.hpp"
#include "not_supported.hpp"

namespace multiprocessing::platform {

std::string describe(const ExitStatus& status) {
  return status.kind == ExitStatus::Kind::unknown ? "ended, exit code unknown"
                                                  : "exit " + std::to_string(status.code);
}

std::optional<std::string> signal_name(const ExitStatus&) { return std::nullopt; }

class ChildProcess::State {};

ChildProcess::ChildProcess() noexcept = default;
ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;
ChildProcess& ChildProcess::operator=(ChildProcess&&) noexcept = default;
ChildProcess::~ChildProcess() = default;
ChildProcess::ChildProcess(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

int ChildProcess::pid() const noexcept { return 0; }
RawHandle ChildProcess::sentinel() const noexcept { return no_handle; }
std::optional<ExitStatus> ChildProcess::poll() noexcept { return ExitStatus{}; }
std::optional<ExpectedWord> ChildProcess::expected_word() const noexcept { return std::nullopt; }
Status ChildProcess::send(StopSignal) noexcept {
  if (const auto fault = fault_point(Call::child_send)) return *fault;
  return not_supported("ChildProcess::send");
}

Result<ChildProcess> launch(const LaunchRequest&) {
  if (const auto fault = fault_point(Call::launch)) return *fault;
  return not_supported("launch");
}

Result<std::string> find_program(const std::string&) { return not_supported("find_program"); }

Result<ForkOutcome> fork_process(std::span<const RawHandle>) {
  if (const auto fault = fault_point(Call::fork_process)) return *fault;
  return not_supported("fork_process");
}

int current_pid() noexcept { return 1; }
ProcessIdentity current_identity() noexcept { return {current_pid(), 0}; }
Result<ProcessIdentity> identify(int) noexcept {
  if (const auto fault = fault_point(Call::identify)) return *fault;
  return not_supported("identify");
}
bool is_alive(const ProcessIdentity& identity) noexcept { return identity == current_identity(); }

Result<Handle> open_sentinel(const ProcessIdentity&, bool) noexcept {
  if (const auto fault = fault_point(Call::open_sentinel)) return *fault;
  return not_supported("open_sentinel");
}

Status end_with_peer(const Channel&, RawHandle, int) noexcept {
  if (const auto fault = fault_point(Call::end_with_peer)) return *fault;
  return not_supported("end_with_peer");
}

void hold_interrupts() noexcept {}

void end_now(int code) noexcept { std::_Exit(code); }

Status bind_standard_streams(const std::array<StreamBinding, 3>&) noexcept {
  if (const auto fault = fault_point(Call::bind_standard_streams)) return *fault;
  return not_supported("bind_standard_streams");
}

Status change_working_directory(const std::string&) noexcept {
  if (const auto fault = fault_point(Call::change_working_directory)) return *fault;
  return not_supported("change_working_directory");
}

Status replace_environment(const std::vector<std::string>&) noexcept {
  if (const auto fault = fault_point(Call::replace_environment)) return *fault;
  return not_supported("replace_environment");
}
Status change_priority(PriorityClass) noexcept {
  if (const auto fault = fault_point(Call::change_priority)) return *fault;
  return not_supported("change_priority");
}
Status limit_memory(std::uint64_t) noexcept {
  if (const auto fault = fault_point(Call::limit_memory)) return *fault;
  return not_supported("limit_memory");
}

}  // namespace multiprocessing::platform
