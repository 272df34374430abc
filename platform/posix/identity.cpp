// Identities of processes: pid and start time, from the system's table of processes. Zombies have ended.
// A sentinel of a stranger is opened by pid and trusted only after the table still shows the same start time:
// had the pid changed hands before it was opened, the time would differ. Manual pages: proc(5),
// pidfd_open(2). That the system cannot be asked for lack of a descriptor does not make a process another.
#include <atomic>
#include <cerrno>
#include <cstdint>

#include <pthread.h>
#include <unistd.h>

#include "contract/fault.hpp"
#include "contract/process.hpp"
#include "process_table.hpp"
#include "sentinel.hpp"

namespace multiprocessing::platform {
namespace {

constexpr Error gone{Condition::gone, ESRCH, "identify"};

Result<ProcessIdentity> look_up(int pid) noexcept {
  if (pid <= 0) return gone;
  const auto record = posix::look_up_process(pid);
  if (!record) return record.error();
  if (record->ended) return gone;
  return ProcessIdentity{pid, record->start_time};
}

}  // namespace

int current_pid() noexcept { return ::getpid(); }

Result<ProcessIdentity> identify(int pid) noexcept {
  if (auto failure = fault_point(Call::identify)) return *failure;
  return look_up(pid);
}

// Kept, because it costs as much as a tenth of a fork. A forked child asks again, whoever forked it: it is
// told so, since its pid may be that of an ancestor that is gone, or of its parent in another namespace. One
// that was made behind the C library's back is known by its pid alone.
ProcessIdentity current_identity() noexcept {
  static std::atomic<std::uint64_t> known_start{0};
  static std::atomic<int> known_pid{0};
  [[maybe_unused]] static const int told =
      ::pthread_atfork(nullptr, nullptr, [] { known_pid.store(0, std::memory_order_relaxed); });
  const int pid = current_pid();
  if (known_pid.load(std::memory_order_acquire) == pid) return {pid, known_start};
  const auto self = look_up(pid);
  if (!self) return {pid, 0};
  known_start = self->start_time;
  known_pid.store(pid, std::memory_order_release);  // whoever sees the pid sees its time
  return *self;
}

bool is_alive(const ProcessIdentity& identity) noexcept {
  const auto now = look_up(identity.pid);
  if (!now) return now.error().condition == Condition::out_of_handles;
  return identity.start_time == 0 || now->start_time == 0 || *now == identity;
}

Result<Handle> open_sentinel(const ProcessIdentity& identity, bool made_us) noexcept {
  if (auto failure = fault_point(Call::open_sentinel)) return *failure;
  if (identity.pid <= 0) return gone;
  auto sentinel = posix::open_exact_sentinel(identity.pid);
  // Who made us is who it was when the sentinel was opened, if it is our parent still: its pid is not given
  // away before, and no process adopts us that is younger than we are.
  if (!sentinel || (made_us && ::getppid() == identity.pid)) return sentinel;
  const auto now = look_up(identity.pid);
  if (!now) return now.error();
  if (identity.start_time == 0 || *now == identity) return sentinel;
  if (now->start_time == 0) return Error{Condition::not_supported, ENOSYS, "identify"};
  return gone;
}

}  // namespace multiprocessing::platform
