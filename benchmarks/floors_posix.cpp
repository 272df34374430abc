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

int watched = -1;

extern "C" void* watch(void*) {
  pollfd entry{watched, POLLIN, 0};
  poll(&entry, 1, -1);
  _exit(1);
}

[[noreturn]] void supervised_child(int channel) {
  watched = channel;
  pthread_t thread;
  pthread_create(&thread, nullptr, &watch, nullptr);
  _exit(0);
}

void wait_for_end(pid_t pid) {
#if defined(SYS_pidfd_open)
  const int sentinel = static_cast<int>(syscall(SYS_pidfd_open, pid, 0U));
  pollfd entry{sentinel, POLLIN, 0};
  poll(&entry, 1, -1);
  close(sentinel);
#endif
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
