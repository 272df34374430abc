// ctest: cost=30
// Applications that do what POSIX lets them do to the library: take its children's statuses, ignore or block
// signals, close the standard streams, keep copies of descriptors, run out of descriptors and processes.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace backend_applications {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::with_each_start_method;

void end() {}
void exit_three() { mp::exit(3); }
void wait_for_ever() { mp::connection::wait({mp::parent_process()->sentinel()}); }

/// Runs the checks in a process of their own, which may spoil its own state; true if they say so.
bool in_own_process(bool (*checks)()) {
  mp::ForkProcess p([=] { mp::exit(checks() ? 0 : 1); });
  p.start();
  p.join();
  return p.exitcode() == 0;
}

bool all_methods_work_in_spite_of_it() {
  for (const auto& method : mp::get_all_start_methods()) {
    auto p = mp::get_context(method).Process(exit_three);
    p.start();
    p.join();
    if (p.is_alive() || !p.exitcode()) return false;
    const bool told = p.exitcode() == 3 && p.exit_kind() == mp::ExitKind::exited;
    const bool unknown = p.exitcode() == 255 && p.exit_kind() == mp::ExitKind::unknown;
    if (!told && !unknown) return false;
  }
  return mp::active_children().empty();
}

bool starts_while_a_thread_reads_standard_input() {
  int ends[2];
  if (pipe(ends) != 0 || dup2(ends[0], STDIN_FILENO) == -1) return false;
  std::thread reader([] {
    std::string line;
    std::getline(std::cin, line);
  });
  while (ftrylockfile(stdin) == 0) {  // until it sits in its read
    funlockfile(stdin);
    std::this_thread::yield();
  }
  const bool all_work = all_methods_work_in_spite_of_it();
  const bool told = write(ends[1], "\n", 1) == 1;
  reader.join();
  return all_work && told;
}

/// The users that the threads of this process have.
std::set<std::string> users_of_threads() {
  std::set<std::string> users;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("Uid:")) users.insert(line);
  }
  return users;
}

[[noreturn]] void give_up_privileges() {
  constexpr uid_t nobody = 65534;
  if (setgid(nobody) != 0 || setuid(nobody) != 0) mp::exit(2);
  mp::exit(users_of_threads().size() == 1 ? 0 : 1);
}

/// The numbers of the control channels' sockets that this process has open.
std::vector<int> sockets() {
  std::vector<int> found;
  for (int fd = 3; fd < 256; ++fd) {
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0) found.push_back(fd);
  }
  return found;
}

/// quick_exit as the C library has it, where it has it: not every system's does.
template <class Code>
void leave_quickly(Code code) {
  if constexpr (requires { std::quick_exit(code); })
    std::quick_exit(code);
  else
    std::_Exit(code);
}

TEST_SUITE("backend.applications") {
  TEST_CASE("quick_exit in the child shows as it is") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process([] { leave_quickly(6); });
      p.start();
      p.join();
      CHECK(p.exitcode() == 6);
    });
  }

  TEST_CASE("SIGCHLD ignored costs the exit code, never a hang") {
    CHECK(in_own_process([] {
      signal(SIGCHLD, SIG_IGN);
      return all_methods_work_in_spite_of_it();
    }));
  }

  TEST_CASE("somebody else reaps all children: that costs the exit code, never a hang") {
    CHECK(in_own_process([] {
      std::thread reaper([] {
        for (;;)
          if (waitpid(-1, nullptr, 0) < 0) std::this_thread::yield();
      });
      reaper.detach();
      for (int i = 0; i < 10; ++i)
        if (!all_methods_work_in_spite_of_it()) return false;
      return true;
    }));
  }

  TEST_CASE("terminate works although the application blocks SIGTERM") {
    CHECK(in_own_process([] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      for (const auto& method : mp::get_all_start_methods()) {
        auto p = mp::get_context(method).Process(wait_for_ever);
        p.start();
        p.terminate();
        if (!p.join(30s) || p.exitcode() != -SIGTERM) return false;
      }
      return true;
    }));
  }

  TEST_CASE("closed standard streams do no harm") {
    CHECK(in_own_process([] {
      for (const int fd : {0, 1, 2}) close(fd);
      if (!all_methods_work_in_spite_of_it()) return false;
      for (const auto& method : mp::get_all_start_methods()) {
        auto& context = mp::get_context(method);
        if (context.call([] { return std::string(100000, 'x'); }).size() != 100000) return false;
        auto p = context.Process(mp::ProcessOptions{.standard_output = mp::Stdio::pipe},
                                 [] { static_cast<void>(!write(1, "out", 3)); });
        p.start();
        if (p.standard_output().read_all().size() != 3) return false;
        p.join();
      }
      return true;
    }));
  }

  TEST_CASE("children of a program without standard streams open no file in their place") {
    CHECK(in_own_process([] {
      for (const int fd : {0, 1, 2}) close(fd);
      for (const auto& method : mp::get_all_start_methods()) {
        const bool kept = mp::get_context(method).call([] {
          for (const int fd : {0, 1, 2})
            if (fcntl(fd, F_GETFD) == -1) return false;
          return open("/", O_RDONLY) > 2;
        });
        if (!kept) return false;
      }
      return fcntl(1, F_GETFD) == -1;  // the program's own affair
    }));
  }

  TEST_CASE("a process that holds a copy of the lifeline does not keep children alive") {
    with_each_start_method([](mp::Context& context) {
      // A family whose root leaves a stranger behind, with copies of all it had open.
      auto root = context.Process(
          mp::ProcessOptions{.standard_output = mp::Stdio::pipe, .standard_error = mp::Stdio::null}, [] {
            mp::SpawnProcess child(wait_for_ever);
            child.start();
            int stranger_holds[2];
            if (pipe(stranger_holds) != 0) mp::exit(9);
            if (fork() == 0) {
              // Not of the library: it holds the sockets, and nothing of the standard streams.
              for (const int fd : {0, 1, 2}) close(fd);
              close(stranger_holds[1]);
              char byte = 0;
              static_cast<void>(!read(stranger_holds[0], &byte, 1));
              alarm(10);
              pause();
            }
            static_cast<void>(!write(1, "!", 1));
            child.join();
          });
      root.start();
      std::vector<std::byte> byte(1);
      CHECK(root.standard_output().read_some(byte) == 1);
      root.kill();
      // Ends when root and its child have ended; the stranger holds only the channels.
      CHECK(root.standard_output().read_all().empty());
      root.join();
    });
  }

  TEST_CASE("out of descriptors: OSError, nothing started, nothing leaked, and it works again after") {
    CHECK(in_own_process([] {
      std::vector<mp::Process> kept;
      if (!all_methods_work_in_spite_of_it()) return false;
      const auto before = mp::test_support::holdings();
      rlimit old{};
      getrlimit(RLIMIT_NOFILE, &old);
      bool reported = true;
      for (rlim_t spare = 0; spare < 4; ++spare) {
        const rlimit tight{static_cast<rlim_t>(before.handles.value_or(3)) + spare, old.rlim_max};
        setrlimit(RLIMIT_NOFILE, &tight);
        for (const auto& method : mp::get_all_start_methods()) {
          auto p = mp::get_context(method).Process(end);
          try {
            p.start();
            p.join();
          } catch (const mp::OSError&) {
            reported = reported && !p.pid();
          }
        }
        setrlimit(RLIMIT_NOFILE, &old);
      }
      return reported && mp::test_support::returns_to(before) && all_methods_work_in_spite_of_it();
    }));
  }

  TEST_CASE("the limit of processes: OSError, nothing started, nothing leaked") {
    if (getuid() != 0) {
      MESSAGE("skipped: only root can become a user that has a limit of his own");
      return;
    }
    CHECK(in_own_process([] {
      const rlimit none{0, 0};
      setrlimit(RLIMIT_NPROC, &none);
      if (setgid(65534) != 0 || setuid(65534) != 0) return false;
      const auto before = mp::test_support::holdings();
      for (const auto& method : mp::get_all_start_methods()) {
        auto p = mp::get_context(method).Process(end);
        try {
          p.start();
          return false;
        } catch (const mp::OSError& error) {
          if (error.code() != std::errc::resource_unavailable_try_again || p.pid()) return false;
        }
      }
      return mp::active_children().empty() && mp::test_support::returns_to(before);
    }));
  }

  TEST_CASE("nothing but its standard streams and its channel reaches a child that is executed anew") {
    const int leaked =
        open("/dev/null", O_RDONLY);  // not close-on-exec: the application's, and its own affair
    const int guarded = open("/dev/null", O_RDONLY | O_CLOEXEC);
    mp::Process other(wait_for_ever);
    other.start();
    const auto ours = sockets();
    CHECK_FALSE(ours.empty());
    for (const int fd : ours) CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    const auto in_child = mp::get_context("spawn").call([] { return static_cast<int>(sockets().size()); });
    CHECK(in_child == 1);
    other.kill();
    other.join();
    close(leaked);
    close(guarded);
  }

  TEST_CASE("an exec'ed program of the child's own does not hold the channel") {
    // `read` ends with its input, the pipe that this test holds.
    mp::SpawnProcess p(mp::ProcessOptions{.standard_input = mp::Stdio::pipe}, [] {
      static_cast<void>(!std::system("exec 3<&0; (read line <&3) > /dev/null 2>&1 &"));
    });
    p.start();
    CHECK(p.join(60s));
    CHECK(p.exitcode() == 0);
    CHECK(mp::get_context("spawn").call([] { return 1; }) == 1);
    p.standard_input().close();
  }

  TEST_CASE("a thread that reads standard input holds up no start") {
    CHECK(in_own_process(starts_while_a_thread_reads_standard_input));
  }

  TEST_CASE("what a child gives up, all of its threads give up") {
    if (getuid() != 0 || !std::filesystem::exists("/proc/self/task"))
      return;  // nothing to give up, or to see
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(give_up_privileges);
      p.start();
      p.join();
      CHECK(p.exitcode() == 0);
    });
  }
}

}  // namespace backend_applications
