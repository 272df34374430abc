// Facts about this process and this machine. A limit on processors is the affinity mask or the job's hard
// cap on processor time, whichever is tighter. Threads are counted in a snapshot of the whole system. There
// is no limit on handles that a program could meet, no title that tools would show, and no signals that a
// thread would have to block.
#include "contract/system.hpp"

#include "win32.hpp"

#include <tlhelp32.h>
#include <winternl.h>

#include <algorithm>
#include <bit>
#include <system_error>
#include <thread>

#include "command_line.hpp"
#include "contract/fault.hpp"
#include "module.hpp"

namespace multiprocessing::platform {

using namespace win32;

namespace {

int affinity_count() noexcept {
  DWORD_PTR process = 0;
  DWORD_PTR machine = 0;
  // Both are 0 in a process with threads in several processor groups: then it may use all.
  if (!GetProcessAffinityMask(GetCurrentProcess(), &process, &machine) || process == 0) return cpu_count();
  return process == machine ? cpu_count() : std::popcount(static_cast<std::uint64_t>(process));
}

/// What a job's hard cap on processor time leaves, rounded up.
int capped_count() noexcept {
  constexpr DWORD whole_machine = 10000;
  constexpr DWORD capped = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
  JOBOBJECT_CPU_RATE_CONTROL_INFORMATION rate = {};
  if (!QueryInformationJobObject(nullptr, JobObjectCpuRateControlInformation, &rate, sizeof(rate), nullptr) ||
      (rate.ControlFlags & capped) != capped) {
    return cpu_count();
  }
  const auto share = static_cast<DWORD>(cpu_count()) * std::min<DWORD>(rate.CpuRate, whole_machine);
  return static_cast<int>((share + whole_machine - 1) / whole_machine);
}

bool belongs_to_the_system(DWORD thread_id) noexcept {
  constexpr auto win32_start_address = static_cast<THREADINFOCLASS>(9);
  const Handle thread(raw(OpenThread(THREAD_QUERY_INFORMATION, FALSE, thread_id)));
  void* start = nullptr;
  if (!thread ||
      NtQueryInformationThread(native(thread), win32_start_address, &start, sizeof(start), nullptr) != 0) {
    return false;
  }
  return start != nullptr && module_at(start) == GetModuleHandleW(L"ntdll.dll");
}

/// Value by value: handles are multiples of four, and the lowest that is free is given out next, so that a
/// long row of free ones is the end. NtQuerySystemInformation, which lists those of the whole machine, is no
/// way: it can end the server of wine 8, and with it every program that runs.
int count_valid_values() noexcept {
  constexpr int longest_gap = 512;
  int count = 0;
  int gap = 0;
  for (std::uintptr_t value = 4; gap < longest_gap; value += 4) {
    DWORD flags = 0;
    if (GetHandleInformation(reinterpret_cast<HANDLE>(value), &flags)) {
      ++count;
      gap = 0;
    } else {
      ++gap;
    }
  }
  return count;
}

}  // namespace

Result<ExecutablePath> executable_path() {
  if (const auto fault = fault_point(Call::executable_path)) return *fault;
  const auto wide =
      grown_text([](wchar_t* text, DWORD size) { return GetModuleFileNameW(nullptr, text, size); });
  if (wide.empty()) return last_error("GetModuleFileNameW");
  auto path = narrow(wide);
  if (!path) return path.error();
  return ExecutablePath{*path, *path};
}

Result<std::vector<std::string>> command_line() {
  if (const auto fault = fault_point(Call::command_line)) return *fault;
  return split_command_line(GetCommandLineW());
}

int cpu_count() noexcept {
  return std::max(1, static_cast<int>(GetActiveProcessorCount(ALL_PROCESSOR_GROUPS)));
}

int process_cpu_count() noexcept { return std::max(1, std::min(affinity_count(), capped_count())); }

std::optional<std::string> environment_variable(const char* name) {
  const auto wide = widen(name);
  if (!wide) return std::nullopt;
  SetLastError(ERROR_SUCCESS);
  const auto value = grown_text(
      [&](wchar_t* text, DWORD size) { return GetEnvironmentVariableW(wide->c_str(), text, size); });
  if (value.empty() && GetLastError() != ERROR_SUCCESS) return std::nullopt;
  return narrow_lossy(value);
}

void set_process_title(const std::string&) noexcept {}
void trust_first_argument() noexcept {}

std::optional<int> thread_count() noexcept {
  const Handle snapshot(raw(CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0)));
  if (!snapshot) return std::nullopt;
  int count = 0;
  THREADENTRY32 entry = {};
  entry.dwSize = sizeof(entry);
  for (BOOL more = Thread32First(native(snapshot), &entry); more;
       more = Thread32Next(native(snapshot), &entry)) {
    const bool ours = entry.th32OwnerProcessID == GetCurrentProcessId();
    if (ours && !belongs_to_the_system(entry.th32ThreadID)) ++count;
  }
  return count;
}

std::optional<int> open_handle_count() noexcept {
  DWORD count = 0;
  if (GetProcessHandleCount(GetCurrentProcess(), &count) && count != 0) return static_cast<int>(count);
  return count_valid_values();  // an emulated Windows may not know
}

std::optional<std::uint64_t> handle_limit() noexcept { return std::nullopt; }

// Every thread has the stack that the program's header says, as the first one.
Status run_in_background(std::function<void()> work, StackSize) {
  if (const auto fault = fault_point(Call::run_in_background)) return *fault;
  try {
    std::thread(std::move(work)).detach();
  } catch (const std::system_error& error) {
    return Error{Condition::out_of_processes, error.code().value(), "std::thread"};
  }
  return {};
}

}  // namespace multiprocessing::platform
