// The table of processes on macOS: sysctl(KERN_PROC_PID), which answers for processes of every user and for
// zombies; start times in microseconds. Threads of our own: proc_pidinfo. Manual page: sysctl(3).
#include "process_table.hpp"

#include <cerrno>

#include <libproc.h>
#include <sys/proc.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "error.hpp"

namespace multiprocessing::platform::posix {

Result<ProcessRecord> look_up_process(int pid) noexcept {
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
  kinfo_proc found{};
  std::size_t size = sizeof found;
  if (::sysctl(name, 4, &found, &size, nullptr, 0) != 0) return last_error("sysctl");
  if (size == 0 || found.kp_proc.p_pid != pid) return Error{Condition::gone, ESRCH, "sysctl"};
  const timeval started = found.kp_proc.p_starttime;
  const auto micros =
      static_cast<std::uint64_t>(started.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(started.tv_usec);
  return ProcessRecord{micros, found.kp_proc.p_stat == SZOMB};
}

std::optional<int> count_threads() noexcept {
  proc_taskinfo info{};
  if (::proc_pidinfo(::getpid(), PROC_PIDTASKINFO, 0, &info, sizeof info) != sizeof info) return std::nullopt;
  return info.pti_threadnum;
}

}  // namespace multiprocessing::platform::posix
