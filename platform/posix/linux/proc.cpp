// The table of processes on Linux: the stat file in /proc, of the process's first thread, because qemu-user
// invents the one of the process itself. Field 3 is the state, 20 the number of threads, 22 the start time in
// clock ticks since the machine was started. A first thread that has ended while others run is a zombie too;
// then the number of threads tells the process is alive.
// Without /proc (or with hidepid) kill(pid, 0) and a pidfd tell whether it runs, and start times are unknown.
// Manual pages: proc_pid_stat(5), kill(2).
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "process_table.hpp"
#include "sentinel.hpp"

namespace multiprocessing::platform::posix {
namespace {

struct Stat {
  char state = 0;
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
    if (field == 20) stat.threads = std::atoi(at);
    at = std::strchr(at + 1, ' ');
  }
  if (at == nullptr) return std::nullopt;
  stat.start_time = std::strtoull(at, nullptr, 10);
  return stat;
}

std::optional<Stat> read_stat(int pid) noexcept {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, pid);
  const auto file = open_file(path, O_RDONLY);
  if (!file) return std::nullopt;
  char text[1024];
  const auto size = retried([&] { return ::read(to_fd(file->get()), text, sizeof text - 1); });
  if (size <= 0) return std::nullopt;
  text[size] = '\0';
  return parse(text);
}

bool sentinel_says_ended(int pid) noexcept {
  const auto sentinel = open_exact_sentinel(pid);
  if (!sentinel) return sentinel.error().condition == Condition::gone;
  pollfd entry{to_fd(sentinel->get()), POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;
}

}  // namespace

Result<ProcessRecord> look_up_process(int pid) noexcept {
  if (const auto stat = read_stat(pid)) {
    const bool dead = stat->state == 'Z' || stat->state == 'X';
    return ProcessRecord{stat->start_time, dead && stat->threads <= 1};
  }
  if (::kill(pid, 0) != 0 && errno != EPERM) return Error{Condition::gone, ESRCH, "kill"};
  return ProcessRecord{0, sentinel_says_ended(pid)};
}

std::optional<int> count_threads() noexcept {
  const auto stat = read_stat(::getpid());
  if (!stat) return std::nullopt;
  return stat->threads;
}

}  // namespace multiprocessing::platform::posix
