// Processes: a child is its process handle, which is also its sentinel and can never come to mean another
// process. Whether it has ended is asked of the handle, not of the exit code, since 259 is a code like any
// other. terminate and kill leave -15 and -9 as exit codes, so that the parent sees what it sees elsewhere. A
// foreign process is its pid and the time it was created, in 100 ns. Windows has no fork; what a forked child
// would do to itself works here on this process all the same.
#include "contract/process.hpp"

#include <stdlib.h>

#include <algorithm>
#include <array>

#include "child_state.hpp"
#include "contract/fault.hpp"
#include "environment.hpp"
#include "job.hpp"
#include "launch_parts.hpp"
#include "win32.hpp"

namespace multiprocessing::platform {

using namespace win32;

namespace {

constexpr DWORD watch_rights = SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
constexpr int terminate_code = -15;
constexpr int kill_code = -9;

bool has_ended(HANDLE process) noexcept { return WaitForSingleObject(process, 0) == WAIT_OBJECT_0; }

bool is_exception_code(DWORD code) noexcept {
  constexpr DWORD thrown_by_msvc = 0xE06D7363;
  constexpr DWORD thrown_by_gcc = 0x20474343;
  constexpr DWORD last_warning = 0x80000005;
  return code >> 28U == 0xC || code == thrown_by_msvc || code == thrown_by_gcc ||
         (code > 0x80000000 && code <= last_warning);
}

ExitStatus status_of(DWORD code) noexcept {
  const auto number = static_cast<int>(code);
  if (number == terminate_code || number == kill_code) return {ExitStatus::Kind::signalled, number};
  return {is_exception_code(code) ? ExitStatus::Kind::faulted : ExitStatus::Kind::exited, number};
}

std::uint64_t creation_time(HANDLE process) noexcept {
  FILETIME created = {};
  FILETIME ended = {};
  FILETIME kernel = {};
  FILETIME user = {};
  if (!GetProcessTimes(process, &created, &ended, &kernel, &user)) return 0;
  return (std::uint64_t{created.dwHighDateTime} << 32U) | created.dwLowDateTime;
}

/// A running process. Errors: gone, permission_denied.
Result<Handle> open_running(int pid) noexcept {
  const HANDLE opened = pid > 0 ? OpenProcess(watch_rights, FALSE, static_cast<DWORD>(pid)) : nullptr;
  if (opened == nullptr) {
    const auto error = last_error("OpenProcess");
    if (pid > 0 && error.condition != Condition::invalid_argument) return error;
    return Error{Condition::gone, error.native, "OpenProcess"};
  }
  Handle process(raw(opened));
  if (has_ended(opened)) return Error{Condition::gone, 0, "OpenProcess"};
  return process;
}

Status interrupt(DWORD pid) noexcept {
  if (!has_console()) return Error{Condition::not_supported, 0, "GenerateConsoleCtrlEvent"};
  // The child leads a process group of its own, so that nobody else gets it. A failure means another console.
  if (GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, pid)) return {};
  return Error{Condition::not_supported, static_cast<int>(GetLastError()), "GenerateConsoleCtrlEvent"};
}

}  // namespace

ChildProcess::ChildProcess() noexcept = default;
ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;
ChildProcess& ChildProcess::operator=(ChildProcess&&) noexcept = default;
ChildProcess::~ChildProcess() = default;
ChildProcess::ChildProcess(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

int ChildProcess::pid() const noexcept { return state_ ? state_->pid : 0; }
RawHandle ChildProcess::sentinel() const noexcept { return state_ ? state_->process.get() : no_handle; }

std::optional<ExitStatus> ChildProcess::poll() noexcept {
  if (!state_) return ExitStatus{};
  const HANDLE process = native(state_->process);
  if (!has_ended(process)) return std::nullopt;
  DWORD code = 0;
  if (!GetExitCodeProcess(process, &code)) return ExitStatus{};
  return status_of(code);
}

std::optional<ExpectedWord> ChildProcess::expected_word() const noexcept { return std::nullopt; }

Status ChildProcess::send(StopSignal signal) noexcept {
  if (const auto fault = fault_point(Call::child_send)) return *fault;
  constexpr Error gone = {Condition::gone, 0, "ChildProcess::send"};
  if (!state_ || has_ended(native(state_->process))) return gone;
  if (signal == StopSignal::interrupt) return interrupt(static_cast<DWORD>(state_->pid));
  const int code = signal == StopSignal::kill ? kill_code : terminate_code;
  if (TerminateProcess(native(state_->process), static_cast<UINT>(code))) return {};
  const auto error = last_error("TerminateProcess");
  // A process that is ending by itself refuses; its handle is signalled a moment later.
  return error.condition == Condition::permission_denied ? gone : error;
}

Result<ForkOutcome> fork_process(std::span<const RawHandle>) {
  if (const auto fault = fault_point(Call::fork_process)) return *fault;
  return Error{Condition::not_supported, 0, "fork_process"};
}

int current_pid() noexcept { return static_cast<int>(GetCurrentProcessId()); }

ProcessIdentity current_identity() noexcept { return {current_pid(), creation_time(GetCurrentProcess())}; }

Result<ProcessIdentity> identify(int pid) noexcept {
  if (const auto fault = fault_point(Call::identify)) return *fault;
  const auto process = open_running(pid);
  if (!process) return process.error();
  return ProcessIdentity{pid, creation_time(native(*process))};
}

bool is_alive(const ProcessIdentity& identity) noexcept {
  const auto process = open_running(identity.pid);
  // One that we may not open runs; that it is another one by now cannot be seen.
  if (!process) return process.error().condition == Condition::permission_denied;
  return identity.start_time == 0 || creation_time(native(*process)) == identity.start_time;
}

Result<Handle> open_sentinel(const ProcessIdentity& identity, bool) noexcept {
  if (const auto fault = fault_point(Call::open_sentinel)) return *fault;
  auto process = open_running(identity.pid);
  if (process && identity.start_time != 0 && creation_time(native(*process)) != identity.start_time) {
    return Error{Condition::gone, 0, "open_sentinel"};
  }
  return process;
}

Status end_with_peer(const Channel&, RawHandle, int) noexcept {
  if (const auto fault = fault_point(Call::end_with_peer)) return *fault;
  return Error{Condition::not_supported, 0, "end_with_peer"};
}

// A child leads a process group of its own, in which CTRL_C is switched off until secure_standard_streams().
void hold_interrupts() noexcept {}

void end_now(int code) noexcept {
  TerminateProcess(GetCurrentProcess(), static_cast<UINT>(code));
  for (;;) ExitProcess(static_cast<UINT>(code));
}

Status bind_standard_streams(const std::array<StreamBinding, 3>& streams) noexcept {
  if (const auto fault = fault_point(Call::bind_standard_streams)) return *fault;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (streams[i].source == StreamBinding::Source::inherit) continue;
    auto handle = open_stream(streams[i], i, FALSE);
    if (!handle) return handle.error();
    if (!SetStdHandle(standard_streams[i], native(*handle))) return last_error("SetStdHandle");
    (void)handle->release();  // this process's standard stream from now on
  }
  return {};
}

Status change_working_directory(const std::string& path) noexcept {
  if (const auto fault = fault_point(Call::change_working_directory)) return *fault;
  const auto wide = widen(path);
  if (!wide) return wide.error();
  if (!SetCurrentDirectoryW(wide->c_str())) return last_error("SetCurrentDirectoryW");
  return {};
}

Status replace_environment(const std::vector<std::string>& environment) noexcept {
  if (const auto fault = fault_point(Call::replace_environment)) return *fault;
  const auto variables = split_environment(environment);
  if (!variables) return variables.error();
  for (const auto& name : variable_names()) _wputenv_s(name.c_str(), L"");
  for (const auto& [name, value] : *variables) {
    if (_wputenv_s(name.c_str(), value.c_str()) != 0) return Error{Condition::out_of_memory, 0, "_wputenv_s"};
    SetEnvironmentVariableW(name.c_str(), value.c_str());  // the runtime takes an empty value for "remove"
  }
  return {};
}

Status limit_memory(std::uint64_t bytes) noexcept {
  if (const auto fault = fault_point(Call::limit_memory)) return *fault;
  if (bytes == 0) return mistake("SetInformationJobObject");
  return limit_by_job(bytes);
}

Status change_priority(PriorityClass priority) noexcept {
  if (const auto fault = fault_point(Call::change_priority)) return *fault;
  const DWORD flags = priority_flags(priority);
  if (!SetPriorityClass(GetCurrentProcess(), flags != 0 ? flags : NORMAL_PRIORITY_CLASS)) {
    return last_error("SetPriorityClass");
  }
  return {};
}

}  // namespace multiprocessing::platform
