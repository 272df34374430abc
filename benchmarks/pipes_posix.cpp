// The floor of pipes on POSIX systems: a blocking socket.
#include "pipes.hpp"

#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace benchmarks {
namespace {

enum class Reader { sleeps, asks_again };

void read_all(int fd, std::span<char> buffer, Reader reader = Reader::sleeps) {
  const int flags = reader == Reader::sleeps ? 0 : MSG_DONTWAIT;
  for (std::size_t filled = 0; filled < buffer.size();) {
    const auto count = recv(fd, buffer.data() + filled, buffer.size() - filled, flags);
    if (count < 0 && errno == EAGAIN) continue;
    if (count <= 0) _exit(1);
    filled += static_cast<std::size_t>(count);
  }
}

void write_all(int fd, std::span<const char> buffer) {
  for (std::size_t written = 0; written < buffer.size();) {
    const auto count = write(fd, buffer.data() + written, buffer.size() - written);
    if (count <= 0) _exit(1);
    written += static_cast<std::size_t>(count);
  }
}

/// The first round is not counted: it touches the memory.
[[noreturn]] void answer(int fd, std::vector<char> buffer, int times, Way way) {
  std::vector<char> word(1);
  for (int i = -1; i < times; ++i) {
    read_all(fd, buffer);
    if (way == Way::round_trip)
      write_all(fd, buffer);
    else if (i == -1 || i + 1 == times)
      write_all(fd, word);
  }
  _exit(0);
}

double ask(int fd, std::vector<char> buffer, int times, Way way) {
  std::vector<char> word(1);
  const auto once = [&](bool answered) {
    write_all(fd, buffer);
    if (way == Way::round_trip)
      read_all(fd, buffer);
    else if (answered)
      read_all(fd, word);
  };
  once(true);
  int done = 0;
  return seconds_of(times, [&] { once(++done == times); });
}

/// `buffer` begins with the length.
void read_framed(int fd, std::vector<char>& buffer, Reader reader) {
  std::uint32_t size = 0;
  read_all(fd, std::span(buffer).first(sizeof size), reader);
  std::memcpy(&size, buffer.data(), sizeof size);
  if (size + sizeof size > buffer.size()) _exit(1);
  read_all(fd, std::span(buffer).subspan(sizeof size, size), reader);
}

[[noreturn]] void answer_framed(int fd, std::vector<char> buffer, int times, Reader reader) {
  for (int i = -1; i < times; ++i) {
    read_framed(fd, buffer, reader);
    write_all(fd, buffer);
  }
  _exit(0);
}

double ask_framed(int fd, std::vector<char> buffer, int times, Reader reader) {
  const auto once = [&] {
    write_all(fd, buffer);
    read_framed(fd, buffer, reader);
  };
  once();
  return seconds_of(times, once);
}

/// `child` does not return.
template <class Child, class Parent>
double with_forked_peer(Child child, Parent parent) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 0;
  const pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    child(ends[1]);
  }
  close(ends[1]);
  const double seconds = parent(ends[0]);
  close(ends[0]);
  int status = 0;
  waitpid(pid, &status, 0);
  return seconds;
}

Measure framed_socket(std::size_t size, int times, Reader reader) {
  return [=] {
    const auto length = static_cast<std::uint32_t>(size);
    std::vector<char> buffer(sizeof length + size, 'x');
    std::memcpy(buffer.data(), &length, sizeof length);
    return with_forked_peer([&](int fd) { answer_framed(fd, buffer, times, reader); },
                            [&](int fd) { return ask_framed(fd, buffer, times, reader); });
  };
}

}  // namespace

Measure bare_socket(std::size_t size, int times, Way way) {
  return [=] {
    const std::vector<char> buffer(size, 'x');
    return with_forked_peer([&](int fd) { answer(fd, buffer, times, way); },
                            [&](int fd) { return ask(fd, buffer, times, way); });
  };
}

Measure bare_framed_socket(std::size_t size, int times) { return framed_socket(size, times, Reader::sleeps); }

Measure bare_framed_socket_without_sleep(std::size_t size, int times) {
  return framed_socket(size, times, Reader::asks_again);
}

#if defined(CPU_SET)
Measure on_one_processor(Measure measure) {
  return [measure = std::move(measure)] {
    cpu_set_t before;
    sched_getaffinity(0, sizeof before, &before);
    int first = 0;
    while (!CPU_ISSET(first, &before)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    sched_setaffinity(0, sizeof one, &one);
    const double seconds = measure();
    sched_setaffinity(0, sizeof before, &before);
    return seconds;
  };
}
#else
Measure on_one_processor(Measure) { return {}; }
#endif

}  // namespace benchmarks
