// The floors on POSIX systems: the bare system calls, and Python as a peer.
#include "floors_posix.hpp"

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
    return seconds_if_done(1, [&] {
      pid_t pid = 0;
      int status = 0;
      return posix_spawn(&pid, arguments[0], nullptr, nullptr, arguments.data(), environ) == 0 &&
             waitpid(pid, &status, 0) == pid && status == 0;
    });
  };
}

Measure bare_fork() {
  return [] {
    return seconds_if_done(1, [] {
      const pid_t pid = fork();
      if (pid == 0) _exit(0);
      int status = 0;
      return waitpid(pid, &status, 0) == pid && status == 0;
    });
  };
}

namespace {

pollfd watched[2];

extern "C" void* watch(void*) {
  poll(watched, 2, -1);
  _exit(1);
}

}  // namespace

void watch_aside(int channel, int parent) {
  watched[0] = {channel, 0, 0};  // its end alone: what comes is for another thread
  watched[1] = {parent, POLLIN, 0};
  pthread_t thread;
  pthread_create(&thread, nullptr, &watch, nullptr);
}

int open_sentinel([[maybe_unused]] pid_t pid) {
#if defined(SYS_pidfd_open)
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0U));
#else
  return -1;
#endif
}

void wait_for(int sentinel) {
  if (sentinel < 0) return;
  pollfd entry{sentinel, POLLIN, 0};
  poll(&entry, 1, -1);
  close(sentinel);
}

bool wait_for_end(pid_t pid) {
  wait_for(open_sentinel(pid));
  int status = 0;
  return waitpid(pid, &status, 0) == pid && status == 0;
}

bool send_record(int channel) {
  const char record[record_size] = {};
  return write(channel, record, sizeof record) == static_cast<ssize_t>(sizeof record);
}

bool answered(int channel) {
  std::size_t length = 0;
  char word[word_size];
  for (ssize_t got = 0; (got = read(channel, word, sizeof word)) > 0;)
    length += static_cast<std::size_t>(got);
  return length == word_size;
}

bool answer_record(int channel) {
  char record[record_size];
  std::size_t filled = 0;
  while (filled < sizeof record) {
    const auto got = read(channel, record + filled, sizeof record - filled);
    if (got <= 0) return false;
    filled += static_cast<std::size_t>(got);
  }
  return write(channel, record, word_size) == static_cast<ssize_t>(word_size);
}

Measure bare_supervised_fork() {
  return [] {
    return seconds_if_done(1, [] {
      int ends[2];
      if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return false;
      const pid_t pid = fork();
      if (pid == 0) {
        close(ends[0]);
        watch_aside(ends[1], -1);
        _exit(0);
      }
      close(ends[1]);
      const bool done = pid > 0 && wait_for_end(pid);
      close(ends[0]);
      return done;
    });
  };
}

Measure bare_supervised_spawn(std::string self) {
  return [self = std::move(self)] {
    return seconds_if_done(1, [&] {
      int ends[2];
      if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return false;
      fcntl(ends[0], F_SETFD, FD_CLOEXEC);
      std::string flag = "--end-supervised";
      std::string channel = std::to_string(ends[1]);
      char* arguments[] = {const_cast<char*>(self.c_str()), flag.data(), channel.data(), nullptr};
      pid_t pid = 0;
      const int refused = posix_spawn(&pid, arguments[0], nullptr, nullptr, arguments, environ);
      close(ends[1]);
      const bool done = refused == 0 && send_record(ends[0]) && wait_for_end(pid) && answered(ends[0]);
      close(ends[0]);
      return done;
    });
  };
}

void end_supervised(int channel) {
  watch_aside(channel, open_sentinel(getppid()));
  if (!answer_record(channel)) _exit(2);
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

std::optional<double> program_seconds(const std::string& command) {
  std::FILE* output = popen((command + " 2>/dev/null").c_str(), "r");
  if (output == nullptr) return std::nullopt;
  double seconds = 0;
  const bool read = std::fscanf(output, "%lf", &seconds) == 1;
  return pclose(output) == 0 && read ? std::optional(seconds) : std::nullopt;
}

std::optional<double> python_seconds(const std::string& script, const std::string& mode) {
  return program_seconds("python3 '" + script + "' " + mode);
}

std::string machine() {
  utsname system{};
  uname(&system);
  return std::to_string(std::thread::hardware_concurrency()) + " CPUs, " + system.sysname + " " +
         system.release + " " + system.machine + ", compiler " + __VERSION__;
}

}  // namespace benchmarks
