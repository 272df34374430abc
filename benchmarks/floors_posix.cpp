// The floors on POSIX systems: the bare system calls, and Python as a peer.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "common.hpp"

extern char** environ;

namespace benchmarks {

std::string own_path(const char* argv0) {
  char* path = realpath(argv0, nullptr);
  const std::string result = path == nullptr ? argv0 : path;
  std::free(path);
  return result;
}

Measure bare_spawn(std::vector<std::string> command) {
  return [command = std::move(command)] {
    std::vector<char*> arguments;
    for (const auto& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    return seconds_of(10, [&] {
      pid_t pid = 0;
      int status = 0;
      if (posix_spawn(&pid, arguments[0], nullptr, nullptr, arguments.data(), environ) == 0)
        waitpid(pid, &status, 0);
    });
  };
}

Measure bare_fork() {
  return [] {
    return seconds_of(20, [] {
      const pid_t pid = fork();
      if (pid == 0) _exit(0);
      int status = 0;
      waitpid(pid, &status, 0);
    });
  };
}

namespace {

pollfd watched[2];

extern "C" void* watch(void*) {
  poll(watched, 2, -1);
  _exit(1);
}

void watch_aside(int channel, int parent) {
  watched[0] = {channel, POLLIN, 0};
  watched[1] = {parent, POLLIN, 0};
  pthread_t thread;
  pthread_create(&thread, nullptr, &watch, nullptr);
}

[[noreturn]] void supervised_child(int channel) {
  watch_aside(channel, -1);
  _exit(0);
}

int open_sentinel([[maybe_unused]] pid_t pid) {
#if defined(SYS_pidfd_open)
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0U));
#else
  return -1;
#endif
}

void wait_for_end(pid_t pid) {
  const int sentinel = open_sentinel(pid);
  if (sentinel >= 0) {
    pollfd entry{sentinel, POLLIN, 0};
    poll(&entry, 1, -1);
    close(sentinel);
  }
  int status = 0;
  waitpid(pid, &status, 0);
}

}  // namespace

Measure bare_supervised_fork() {
  return [] {
    return seconds_of(20, [] {
      int ends[2];
      if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return;
      const pid_t pid = fork();
      if (pid == 0) {
        close(ends[0]);
        supervised_child(ends[1]);
      }
      close(ends[1]);
      wait_for_end(pid);
      close(ends[0]);
    });
  };
}

namespace {

constexpr std::size_t record_size = 331;  // what the library sends for a function without arguments

/// Sends the record, waits for the word that it came, and for the end.
void supervise(pid_t pid, int channel) {
  const char record[record_size] = {};
  if (write(channel, record, sizeof record) != static_cast<ssize_t>(sizeof record)) return;
  wait_for_end(pid);
  char word[16];
  while (read(channel, word, sizeof word) > 0) continue;
}

}  // namespace

Measure bare_supervised_spawn(std::string self) {
  return [self = std::move(self)] {
    return seconds_of(10, [&] {
      int ends[2];
      if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return;
      fcntl(ends[0], F_SETFD, FD_CLOEXEC);
      std::string flag = "--end-supervised";
      std::string channel = std::to_string(ends[1]);
      char* arguments[] = {const_cast<char*>(self.c_str()), flag.data(), channel.data(), nullptr};
      pid_t pid = 0;
      const int refused = posix_spawn(&pid, arguments[0], nullptr, nullptr, arguments, environ);
      close(ends[1]);
      if (refused == 0) supervise(pid, ends[0]);
      close(ends[0]);
    });
  };
}

void end_supervised(int channel) {
  watch_aside(channel, open_sentinel(getppid()));
  char record[record_size];
  std::size_t filled = 0;
  while (filled < sizeof record) {
    const auto got = read(channel, record + filled, sizeof record - filled);
    if (got <= 0) _exit(2);
    filled += static_cast<std::size_t>(got);
  }
  if (write(channel, record, 16) != 16) _exit(2);
}

namespace {

[[noreturn]] void be_zygote(int requests) {
  char byte = 0;
  while (read(requests, &byte, 1) == 1) {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    int status = 0;
    waitpid(pid, &status, 0);
    if (write(requests, &byte, 1) != 1) break;
  }
  _exit(0);  // whoever asked is gone
}

/// The end of the socket over which it is asked.
int start_zygote() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  if (fork() == 0) {
    close(ends[0]);
    be_zygote(ends[1]);
  }
  close(ends[1]);
  return ends[0];
}

}  // namespace

Measure bare_zygote() {
  return [] {
    static const int zygote = start_zygote();
    return seconds_of(20, [] {
      char byte = 0;
      if (write(zygote, &byte, 1) != 1 || read(zygote, &byte, 1) != 1) std::abort();
    });
  };
}

std::vector<long long> copies_of_handle(long long handle, int count) {
  std::vector<long long> copies;
  for (int i = 0; i < count; ++i) {
    const int copy = fcntl(static_cast<int>(handle), F_DUPFD_CLOEXEC, 3);
    if (copy < 0) break;
    copies.push_back(copy);
  }
  return copies;
}

void close_handles(const std::vector<long long>& handles) {
  for (const auto handle : handles) close(static_cast<int>(handle));
}

void bare_wait(const std::vector<long long>& handles) {
  std::vector<pollfd> polled;
  for (const auto handle : handles) polled.push_back({static_cast<int>(handle), POLLIN, 0});
  poll(polled.data(), polled.size(), -1);
}

std::optional<double> python_seconds(const std::string& script, const std::string& mode) {
  std::FILE* output = popen(("python3 '" + script + "' " + mode + " 2>/dev/null").c_str(), "r");
  if (output == nullptr) return std::nullopt;
  double seconds = 0;
  const bool read = std::fscanf(output, "%lf", &seconds) == 1;
  return pclose(output) == 0 && read ? std::optional(seconds) : std::nullopt;
}

std::string machine() {
  utsname system{};
  uname(&system);
  return std::to_string(std::thread::hardware_concurrency()) + " CPUs, " + system.sysname + " " +
         system.release + " " + system.machine + ", compiler " + __VERSION__;
}

}  // namespace benchmarks
