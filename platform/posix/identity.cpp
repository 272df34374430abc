// Identities of processes: pid and start time, from the system's table of processes. Zombies have ended.
// A sentinel of a stranger is opened by pid and trusted only after the table still shows the same start time:
// had the pid changed hands before it was opened, the time would differ. Manual pages: proc(5),
// pidfd_open(2).
#include <cerrno>

#include <unistd.h>

#include "contract/fault.hpp"
#include "contract/process.hpp"
#include "process_table.hpp"
#include "sentinel.hpp"

namespace multiprocessing::platform {
namespace {

constexpr Error gone{Condition::gone, ESRCH, "identify"};

}  // namespace

int current_pid() noexcept { return ::getpid(); }

Result<ProcessIdentity> identify(int pid) noexcept {
  if (pid <= 0) return gone;
  const auto record = posix::look_up_process(pid);
  if (!record) return record.error();
  if (record->ended) return gone;
  return ProcessIdentity{pid, record->start_time};
}

ProcessIdentity current_identity() noexcept {
  const auto self = identify(current_pid());
  return self ? *self : ProcessIdentity{current_pid(), 0};
}

bool is_alive(const ProcessIdentity& identity) noexcept {
  const auto now = identify(identity.pid);
  if (!now) return false;
  return identity.start_time == 0 || now->start_time == 0 || *now == identity;
}

Result<Handle> open_sentinel(const ProcessIdentity& identity) noexcept {
  if (auto failure = fault_point(Call::open_sentinel)) return *failure;
  if (identity.pid <= 0) return gone;
  auto sentinel = posix::open_exact_sentinel(identity.pid);
  if (sentinel && !is_alive(identity)) return gone;
  return sentinel;
}

}  // namespace multiprocessing::platform
