// What a started program sees of its parent: streams in every overlap, no stray descriptors, signal
// mask and handlers.
#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/channel.hpp"
#include "contract/process.hpp"
#include "contract/system.hpp"
#include "descriptor.hpp"
#include "error.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::posix_starting_tests {
namespace {

using namespace test_support;
using Sources = std::array<int, 3>;

LaunchRequest shell(std::string script) {
  LaunchRequest request;
  request.executable = "/bin/sh";
  request.arguments = {"sh", "-c", std::move(script)};
  return request;
}

std::string read_to_end(Channel& channel) {
  std::string text;
  std::array<std::byte, 4096> buffer;
  while (const auto size = must(channel.read_some(buffer, patience())))
    text.append(reinterpret_cast<const char*>(buffer.data()), size);
  return text;
}

std::string output_of(LaunchRequest request) {
  auto output = must(stream_pipe(Direction::child_writes));
  request.streams[1] = {StreamBinding::Source::handle, output.child.get()};
  auto child = must(launch(request));
  output.child.reset();
  auto text = read_to_end(output.parent);
  join(child);
  return text;
}

std::array<StreamBinding, 3> bindings_from(const Sources& sources) {
  std::array<StreamBinding, 3> bindings;
  for (std::size_t i = 0; i < sources.size(); ++i) bindings[i] = {StreamBinding::Source::handle, sources[i]};
  return bindings;
}

/// In a forked child whose standard streams are three sockets: `act`. What then came out of each socket.
template <class Act>
std::array<std::string, 3> heard_from_streams(Act act) {
  std::vector<std::pair<Channel, Channel>> pairs;
  for (int i = 0; i < 3; ++i) pairs.push_back(must(channel_pair()));
  auto fork = must(fork_process({}));
  if (fork.in_child) {
    for (int i = 0; i < 3; ++i) ::dup2(posix::to_fd(pairs[static_cast<std::size_t>(i)].second.get()), i);
    act();
    end_now(0);
  }
  std::array<std::string, 3> heard;
  for (std::size_t i = 0; i < 3; ++i) pairs[i].second.close();
  for (std::size_t i = 0; i < 3; ++i) heard[i] = read_to_end(pairs[i].first);
  CHECK(join(fork.child) == exited(0));
  return heard;
}

/// Stream i says the letter i into its source.
std::array<std::string, 3> expected_from(const Sources& sources) {
  std::array<std::string, 3> expected;
  for (std::size_t i = 0; i < sources.size(); ++i)
    expected[static_cast<std::size_t>(sources[i])] += static_cast<char>('a' + i);
  return expected;
}

template <class Check>
void for_all_overlaps(Check check) {
  for (int input = 0; input < 3; ++input)
    for (int output = 0; output < 3; ++output)
      for (int error = 0; error < 3; ++error) {
        CAPTURE(input);
        CAPTURE(output);
        CAPTURE(error);
        check(Sources{input, output, error});
      }
}

/// The bits of a mask in the text of /proc/self/status.
std::uint64_t mask_in(const std::string& status, const std::string& name) {
  const auto at = status.find(name + ":");
  return at == std::string::npos ? ~std::uint64_t{0}
                                 : std::stoull(status.substr(at + name.size() + 1), nullptr, 16);
}

extern "C" inline void do_nothing(int) {}

/// Another disposition of a signal, as long as it lives.
class Disposition {
 public:
  Disposition(int number, void (*handler)(int)) : number_(number) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(number, &action, &before_);
  }
  ~Disposition() { ::sigaction(number_, &before_, nullptr); }
  Disposition(const Disposition&) = delete;
  Disposition& operator=(const Disposition&) = delete;

 private:
  int number_;
  struct sigaction before_ {};
};

/// What an application may fork while a program is started: a process that has a copy of every descriptor,
/// and ends when `go_on` does. It is made by a bare system call, since a handler of fork() may not fork.
struct Bystander {
  static inline bool wanted = false;
  static inline int pid = -1;
  static inline std::array<int, 2> go_on = {-1, -1};

  static void fork_beside() {
#ifdef SYS_clone
    if (!std::exchange(wanted, false)) return;
    pid = static_cast<int>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (pid != 0) return;
    ::close(go_on[1]);
    char byte = 0;
    while (::read(go_on[0], &byte, 1) == -1 && errno == EINTR) {
    }
    ::_exit(0);
#endif
  }

  Bystander() {
    static const int registered = ::pthread_atfork(&fork_beside, nullptr, nullptr);
    REQUIRE(registered == 0);
    REQUIRE(::pipe(go_on.data()) == 0);
    pid = -1;
    wanted = true;
  }
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;
  ~Bystander() {
    wanted = false;
    ::close(go_on[1]);
    ::close(go_on[0]);
    if (pid > 0) ::waitpid(pid, nullptr, 0);
  }
};

/// Starts this program, which refuses a flag that is not for strangers.
ExitStatus start_own_program() {
  LaunchRequest request;
  request.executable = must(executable_path()).launch;
  request.arguments = {"program", "--multiprocessing-fork"};
  request.streams[2].source = StreamBinding::Source::null;
  auto child = must(launch(request));
  return join(child);
}

/// As a daemon begins, and one that goes on: every number below 200 is gone, and then another program's,
/// which would be found out by its status.
int starts_without_what_was_kept() {
  try {
    for (const bool reused : {false, true}) {
      for (int number = 3; number < 200; ++number) {
        ::close(number);
        if (reused) static_cast<void>(::open("/bin/true", O_RDONLY | O_CLOEXEC));
      }
      if (start_own_program() != exited(2)) return reused ? 2 : 1;
    }
    return 7;
  } catch (const std::exception&) {
    return 3;
  }
}

}  // namespace

TEST_SUITE("backend.starting") {
  TEST_CASE_FIXTURE(LeakCheck, "a program's streams may come from one another in every way") {
    for_all_overlaps([](const Sources& sources) {
      CHECK(heard_from_streams([&] {
              auto request = shell("printf a >&0; printf b; printf c >&2");
              request.streams = bindings_from(sources);
              auto child = must(launch(request));
              join(child);
            }) == expected_from(sources));
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "a forked child's streams may come from one another in every way") {
    for_all_overlaps([](const Sources& sources) {
      CHECK(heard_from_streams([&] {
              must(bind_standard_streams(bindings_from(sources)));
              for (int i = 0; i < 3; ++i) {
                const char letter = static_cast<char>('a' + i);
                if (::write(i, &letter, 1) != 1) end_now(1);
              }
            }) == expected_from(sources));
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "a start does not wait for what the application forks meanwhile") {
    {
      const Bystander bystander;
      auto child = must(launch(shell("exit 4")));
      CHECK(join(child) == exited(4));
    }
    const Bystander bystander;
    auto request = shell("");
    request.executable = "/nonexistent/program";
    CHECK(outcome(launch(request)) == Condition::not_found);
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "a name that leads back to itself is not found, a file that is written not permitted") {
    const auto folder =
        std::filesystem::temp_directory_path() / ("mp_starting_" + std::to_string(current_pid()));
    std::filesystem::create_directory(folder);
    std::filesystem::create_symlink("loop", folder / "loop");
    auto request = shell("");
    request.executable = (folder / "loop").string();
    CHECK(outcome(launch(request)) == Condition::not_found);
    CHECK(posix::condition_of(ETXTBSY) == Condition::permission_denied);  // where the system still refuses it
    std::filesystem::remove_all(folder);
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "this program starts although the application closed what we keep open of it") {
    CHECK(start_own_program() == exited(2));  // what is kept is open now
    auto fork = must(fork_process({}));
    if (fork.in_child) end_now(starts_without_what_was_kept());
    CHECK(join(fork.child) == exited(7));
  }

  TEST_CASE_FIXTURE(LeakCheck, "descriptors that the application left inheritable do not reach a program") {
    if (!std::ifstream("/proc/self/stat")) return skip("there is no /proc to look into");
    auto pair = must(channel_pair());
    const Handle stray(::dup(posix::to_fd(pair.first.get())));
    const Handle high(::fcntl(posix::to_fd(pair.first.get()), F_DUPFD, 60));
    auto request = shell("for n in $(seq 3 99); do if [ -e /proc/$$/fd/$n ]; then echo $n; fi; done");
    request.inherited = pair.second.get();
    CHECK(output_of(request) == std::to_string(pair.second.get()) + "\n");
  }

  TEST_CASE_FIXTURE(LeakCheck, "a program starts with an empty mask and without our handlers") {
    if (!std::ifstream("/proc/self/status")) return skip("there is no /proc to look into");
    const Disposition hangup(SIGHUP, SIG_IGN);
    const Disposition broken_pipe(SIGPIPE, SIG_IGN);
    const Disposition user(SIGUSR1, &do_nothing);
    const Disposition alarm(SIGALRM, SIG_IGN);
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    LaunchRequest request;
    request.executable = "cat";
    request.arguments = {"cat", "/proc/self/status"};
    const std::string status = output_of(request);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);

    CHECK(mask_in(status, "SigBlk") == 0);
    CHECK(mask_in(status, "SigIgn") == std::uint64_t{1} << (SIGHUP - 1));
    CHECK(mask_in(status, "SigCgt") == 0);
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "a signal that comes while a program is started runs our handler in us alone") {
    const Disposition user(SIGUSR1, &do_nothing);
    std::ostringstream script;
    script << "kill -USR1 " << current_pid();
    for (int i = 0; i < 20; ++i) {
      auto noise = must(launch(shell(script.str())));
      auto child = must(launch(shell("exit 4")));
      CHECK(join(child) == exited(4));
      CHECK(join(noise) == exited(0));
    }
  }
}

}  // namespace multiprocessing::platform::posix_starting_tests
