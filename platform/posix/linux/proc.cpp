// The table of processes on Linux: the stat file in /proc, of the process's first thread, because qemu-user
// invents the one of the process itself. Field 3 is the state, 20 the number of threads, 22 the start time in
// clock ticks since the machine was started. A first thread that has ended while others run is a zombie too;
// then the number of threads tells the process is alive.
// Field 9 holds the kernel's flags: PF_FORKNOEXEC stands from fork() to execve().
// Without /proc (or with hidepid) waitid, a pidfd and kill(pid, 0) tell whether it runs, and start times are
// unknown. A process that has used up its descriptors lends itself some more, where the hard limit has room.
// Manual pages: proc_pid_stat(5), kill(2), getrlimit(2).
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

#include "process_table.hpp"
#include "sentinel.hpp"

namespace multiprocessing::platform::posix {
namespace {

struct Stat {
  char state = 0;
  unsigned long flags = 0;
  int threads = 0;
  std::uint64_t start_time = 0;
};

// The name in parentheses may hold anything, so fields are counted from the last parenthesis.
std::optional<Stat> parse(char* text) noexcept {
  const char* at = std::strrchr(text, ')');
  if (at == nullptr || at[1] == '\0') return std::nullopt;
  Stat stat;
  stat.state = at[2];
  at += 2;
  for (int field = 3; field < 22 && at != nullptr; ++field) {
    if (field == 9) stat.flags = std::strtoul(at, nullptr, 10);
    if (field == 20) stat.threads = std::atoi(at);
    at = std::strchr(at + 1, ' ');
  }
  if (at == nullptr) return std::nullopt;
  stat.start_time = std::strtoull(at, nullptr, 10);
  return stat;
}

// More descriptors than the soft limit allows, while it lasts.
class RaisedLimit {
 public:
  RaisedLimit() noexcept {
    if (!lock_ || ::getrlimit(RLIMIT_NOFILE, &before_) != 0) return;
    const rlimit more{before_.rlim_max, before_.rlim_max};
    lent_ = before_.rlim_cur < before_.rlim_max && ::setrlimit(RLIMIT_NOFILE, &more) == 0;
  }
  RaisedLimit(const RaisedLimit&) = delete;
  RaisedLimit& operator=(const RaisedLimit&) = delete;
  ~RaisedLimit() {
    if (lent_) ::setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  static std::mutex& mutex() noexcept {
    static auto& instance = *new std::mutex;
    return instance;
  }

  // Only tried: in a forked child it may be held by a thread that is not there.
  std::unique_lock<std::mutex> lock_{mutex(), std::try_to_lock};
  rlimit before_{};
  bool lent_ = false;
};

// Errors: what keeps the file from being opened, and gone.
Result<Stat> read_stat_once(int pid) noexcept {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, pid);
  const auto file = open_file(path, O_RDONLY);
  if (!file) return file.error();
  char text[1024];
  const auto size = retried([&] { return ::read(to_fd(file->get()), text, sizeof text - 1); });
  if (size <= 0) return Error{Condition::gone, ESRCH, "read"};
  text[size] = '\0';
  const auto stat = parse(text);
  if (!stat) return Error{Condition::gone, ESRCH, "read"};
  return *stat;
}

Result<Stat> read_stat(int pid) noexcept {
  auto stat = read_stat_once(pid);
  if (stat || stat.error().condition != Condition::out_of_handles) return stat;
  const RaisedLimit lent;
  return read_stat_once(pid);
}

// Without a look at its file. A child of ours needs no descriptor either.
Result<bool> seems_to_have_ended(int pid) noexcept {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pid);
  if (retried([&] { return ::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT); }) == 0)
    return info.si_pid != 0;
  if (::kill(pid, 0) != 0 && errno != EPERM) return true;
  const auto sentinel = open_exact_sentinel(pid);
  if (!sentinel && sentinel.error().condition == Condition::out_of_handles) return sentinel.error();
  if (!sentinel) return sentinel.error().condition == Condition::gone;
  pollfd entry{to_fd(sentinel->get()), POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;
}

}  // namespace

Result<ProcessRecord> look_up_process(int pid) noexcept {
  const auto stat = read_stat(pid);
  if (stat) {
    const bool dead = stat->state == 'Z' || stat->state == 'X';
    return ProcessRecord{stat->start_time, dead && stat->threads <= 1};
  }
  const auto ended = seems_to_have_ended(pid);
  if (!ended) return ended.error();
  if (*ended) return Error{Condition::gone, ESRCH, "kill"};
  // It runs, but which process it is cannot be read now.
  if (stat.error().condition == Condition::out_of_handles) return stat.error();
  return ProcessRecord{0, false};
}

bool has_executed(int pid) noexcept {
  constexpr unsigned long forked_and_not_executed = 0x40;  // PF_FORKNOEXEC
  const auto stat = read_stat(pid);
  return stat && (stat->flags & forked_and_not_executed) == 0;
}

std::optional<int> count_threads() noexcept {
#if __has_include(<sys/single_threaded.h>)
  if (__libc_single_threaded) return 1;  // glibc knows as long as it has made none
#endif
  const auto stat = read_stat(::getpid());
  if (!stat) return std::nullopt;
  return stat->threads;
}

}  // namespace multiprocessing::platform::posix
