// The table of processes on FreeBSD: sysctl(KERN_PROC_PID), start times in microseconds; this program's file,
// arguments and title; affinity. There is no quota of processors. Manual pages: sysctl(3),
// cpuset_getaffinity(2).
#include "process_table.hpp"

#include <sys/cpuset.h>
#include <sys/param.h>
#include <sys/proc.h>
#include <sys/sysctl.h>
#include <sys/user.h>

#include <cerrno>
#include <cstring>

#include <unistd.h>

#include "contract/fault.hpp"
#include "contract/system.hpp"
#include "error.hpp"
#include "processors.hpp"
#include "replaced_executable.hpp"

namespace multiprocessing::platform {
namespace {

Result<kinfo_proc> entry_of(int pid) noexcept {
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
  kinfo_proc found{};
  std::size_t size = sizeof found;
  if (::sysctl(name, 4, &found, &size, nullptr, 0) != 0) return posix::last_error("sysctl");
  if (size == 0 || found.ki_pid != pid) return Error{Condition::gone, ESRCH, "sysctl"};
  return found;
}

Result<std::string> own_text(int what) {
  int name[] = {CTL_KERN, KERN_PROC, what, -1};
  std::size_t size = 0;
  if (::sysctl(name, 4, nullptr, &size, nullptr, 0) != 0) return posix::last_error("sysctl");
  std::string text(size, '\0');
  if (::sysctl(name, 4, text.data(), &size, nullptr, 0) != 0) return posix::last_error("sysctl");
  text.resize(size);
  return text;
}

}  // namespace

namespace posix {

Result<ProcessRecord> look_up_process(int pid) noexcept {
  const auto found = entry_of(pid);
  if (!found) return found.error();
  const auto micros = static_cast<std::uint64_t>(found->ki_start.tv_sec) * 1'000'000 +
                      static_cast<std::uint64_t>(found->ki_start.tv_usec);
  return ProcessRecord{micros, found->ki_stat == SZOMB};
}

bool has_executed(int pid) noexcept {
  const auto found = entry_of(pid);
  return found && (found->ki_flag & P_EXEC) != 0;
}

std::optional<int> count_threads() noexcept {
  const auto found = entry_of(::getpid());
  if (!found) return std::nullopt;
  return found->ki_numthreads;
}

std::optional<int> allowed_processors() noexcept {
  cpuset_t set;
  if (::cpuset_getaffinity(CPU_LEVEL_WHICH, CPU_WHICH_PID, -1, sizeof set, &set) != 0) return std::nullopt;
  return CPU_COUNT(&set);
}

std::optional<int> processor_quota() { return std::nullopt; }

bool replaced_executable_starts() { return false; }

}  // namespace posix

Result<ExecutablePath> executable_path() {
  if (auto failure = fault_point(Call::executable_path)) return *failure;
  auto path = own_text(KERN_PROC_PATHNAME);
  if (!path) return path.error();
  path->resize(std::strlen(path->c_str()));
  return ExecutablePath{*path, *path};
}

Result<std::vector<std::string>> command_line() {
  if (auto failure = fault_point(Call::command_line)) return *failure;
  const auto text = own_text(KERN_PROC_ARGS);
  if (!text) return text.error();
  std::vector<std::string> arguments;
  for (std::size_t at = 0; at < text->size();) {
    arguments.emplace_back(text->c_str() + at);  // each ends with a zero
    at += arguments.back().size() + 1;
  }
  return arguments;
}

void set_process_title(const std::string& title) noexcept { ::setproctitle("%s", title.c_str()); }
void trust_first_argument() noexcept {}

}  // namespace multiprocessing::platform
