// Reaping beside an application that reaps too, and sentinels of children that close what they inherited or
// leave others behind.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_include(<sys/prctl.h>)
#include <sys/prctl.h>
#endif

#include "contract/channel.hpp"
#include "contract/process.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::posix_sentinel_tests {
namespace {

using namespace test_support;

constexpr ExitStatus unknown{ExitStatus::Kind::unknown, 255};

LaunchRequest shell(std::string script) {
  LaunchRequest request;
  request.executable = "/bin/sh";
  request.arguments = {"sh", "-c", std::move(script)};
  return request;
}

/// A program that runs until the handle is closed.
struct Waiter {
  StreamPipe input = must(stream_pipe(Direction::child_reads));
  ChildProcess process;

  Waiter() {
    auto request = shell("read line; exit 5");
    request.streams[0] = {StreamBinding::Source::handle, input.child.get()};
    process = must(launch(request));
    input.child.reset();
  }
};

ChildProcess forked_with(int code) {
  auto fork = must(fork_process({}));
  if (fork.in_child) end_now(code);
  return std::move(fork.child);
}

void wait_for(const ChildProcess& process) { must(wait_one(process.sentinel(), patience())); }

class ChildSignalIgnored {
 public:
  ChildSignalIgnored() : before_(std::signal(SIGCHLD, SIG_IGN)) {}
  ~ChildSignalIgnored() { std::signal(SIGCHLD, before_); }
  ChildSignalIgnored(const ChildSignalIgnored&) = delete;
  ChildSignalIgnored& operator=(const ChildSignalIgnored&) = delete;

 private:
  void (*before_)(int);
};

/// Lowers the limit to what is open.
class UsedUpDescriptors {
 public:
  UsedUpDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &low);
  }
  UsedUpDescriptors(const UsedUpDescriptors&) = delete;
  UsedUpDescriptors& operator=(const UsedUpDescriptors&) = delete;
  ~UsedUpDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

#ifdef PTRACE_SEIZE

/// One byte from one process to another.
struct Signal {
  std::array<int, 2> ends{-1, -1};
  Signal() { REQUIRE(::pipe(ends.data()) == 0); }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal() {
    for (const int end : ends) ::close(end);
  }
  void give(char what) const noexcept { static_cast<void>(::write(ends[1], &what, 1) == 1); }
  [[nodiscard]] char take() const noexcept {
    char what = 0;
    return ::read(ends[0], &what, 1) == 1 ? what : '\0';
  }
};

/// Debugs a child of its parent until it is told to take notice of the end; says first whether it may.
ChildProcess debugger_of(int pid, const Signal& begun, const Signal& let_go) {
  auto fork = must(fork_process({}));
  if (!fork.in_child) return std::move(fork.child);
  const bool may = ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0;
  begun.give(may ? 'y' : 'n');
  static_cast<void>(let_go.take());
  siginfo_t info{};
  if (may) ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED);
  end_now(0);
}

ChildProcess debugged_with(int code, const Signal& here, const Signal& go) {
  auto fork = must(fork_process({}));
  if (!fork.in_child) return std::move(fork.child);
#ifdef PR_SET_PTRACER
  ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
#endif
  here.give('y');
  static_cast<void>(go.take());
  end_now(code);
}

#endif

bool exists(int pid) { return ::kill(pid, 0) == 0; }

}  // namespace

TEST_SUITE("backend.sentinels") {
  TEST_CASE_FIXTURE(LeakCheck, "with SIGCHLD ignored the end of a child is seen, its code is unknown") {
    const ChildSignalIgnored ignored;
    for (int i = 0; i < 20; ++i) {
      auto launched = must(launch(shell("exit 3")));
      auto forked = forked_with(3);
      wait_for(launched);
      wait_for(forked);
      // The sentinel may be ready an instant before the kernel forgets the child, and then has its code.
      for (ChildProcess* child : {&launched, &forked}) {
        const auto status = child->poll();
        REQUIRE(status);
        CHECK((*status == unknown || *status == exited(3)));
        CHECK(outcome(child->send(StopSignal::kill)) == Condition::gone);
      }
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "with SIGCHLD ignored a missing program is still reported") {
    const ChildSignalIgnored ignored;
    auto request = shell("");
    request.executable = "/nonexistent/program";
    CHECK(outcome(launch(request)) == Condition::not_found);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a status that somebody else has taken is unknown") {
    auto child = must(launch(shell("exit 3")));
    wait_for(child);
    int status = 0;
    REQUIRE(::waitpid(-1, &status, 0) == child.pid());
    CHECK(child.poll() == unknown);
    CHECK(outcome(child.send(StopSignal::terminate)) == Condition::gone);
    CHECK(child.poll() == unknown);
  }

#ifdef PTRACE_SEIZE
  TEST_CASE("nobody waits for a debugger that has an ended child") {
    const Signal here, go, begun, let_go;
    auto child = debugged_with(5, here, go);
    REQUIRE(here.take() == 'y');
    auto debugger = debugger_of(child.pid(), begun, let_go);
    const bool may = begun.take() == 'y';
    go.give('y');
    // Where sentinels are threads that wait, they wait for the debugger, too.
    if (may && wait_one(child.sentinel(), Deadline::after(std::chrono::seconds(1)))) {
      CHECK_FALSE(child.poll());
      const auto word = child.expected_word();
      REQUIRE(word);
      CHECK(word->handle == no_handle);
      CHECK_FALSE(word->deadline.is_never());
    }
    let_go.give('y');
    CHECK(join(child) == exited(5));
    CHECK_FALSE(child.expected_word());
    CHECK(join(debugger) == exited(0));
  }
#endif

  TEST_CASE_FIXTURE(LeakCheck, "the children of the application keep their status") {
    const int own = ::fork();
    if (own == 0) ::_exit(9);
    REQUIRE(own > 0);
    auto child = must(launch(shell("exit 3")));
    CHECK(join(child) == exited(3));
    int status = 0;
    REQUIRE(::waitpid(own, &status, 0) == own);
    CHECK(WEXITSTATUS(status) == 9);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child that nobody owns any more is reaped by a later launch") {
    int pid = 0;
    {
      Waiter waiter;
      pid = waiter.process.pid();
    }  // it ends because its input does
    CHECK(eventually([&] {
      auto next = must(launch(shell("exit 0")));
      join(next);
      return !exists(pid);
    }));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a forked child cannot reap or signal by what its parent dropped") {
    const auto before = child_count();
    Waiter waiter;
    { const auto dropped = std::move(waiter.process); }
    auto fork = must(fork_process({}));
    if (fork.in_child) {
      auto own = must(launch(shell("exit 6")));
      end_now(join(own).code);
    }
    CHECK(join(fork.child) == exited(6));
    waiter.input.parent.close();
    CHECK(eventually([&] {
      auto next = must(launch(shell("exit 0")));
      join(next);
      return child_count() == before;
    }));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child that closes all that it inherited is asked without a wait") {
    auto input = must(stream_pipe(Direction::child_reads));
    auto output = must(stream_pipe(Direction::child_writes));
    auto request = shell("for n in $(seq 3 9); do eval \"exec $n>&-\"; done; echo closed; read line; exit 3");
    request.streams[0] = {StreamBinding::Source::handle, input.child.get()};
    request.streams[1] = {StreamBinding::Source::handle, output.child.get()};
    auto child = must(launch(request));
    input.child.reset();
    output.child.reset();
    std::array<std::byte, 7> text{};
    must(output.parent.read_all(text, patience()));
    CHECK(child.poll() == std::nullopt);
    CHECK(outcome(wait_one(child.sentinel(), Deadline::now())) == Condition::timed_out);
    input.parent.close();
    CHECK(join(child) == exited(3));
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "the end of a child is seen although a grandchild keeps all that it inherited") {
    auto output = must(stream_pipe(Direction::child_writes));
    auto request = shell("sleep 600 >/dev/null 2>&1 & echo $!; exit 3");
    request.streams[1] = {StreamBinding::Source::handle, output.child.get()};
    auto child = must(launch(request));
    output.child.reset();
    std::string text;
    std::array<std::byte, 64> buffer;
    while (const auto size = must(output.parent.read_some(buffer, patience())))
      text.append(reinterpret_cast<const char*>(buffer.data()), size);
    CHECK(outcome(wait_one(child.sentinel(), patience())) == success);
    CHECK(child.poll() == exited(3));
    REQUIRE(::kill(std::stoi(text), SIGKILL) == 0);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child may be forgotten while it runs, and in a fork of its parent") {
    const auto before = child_count();
    std::vector<Waiter> waiters(8);
    for (int i = 0; i < 8; ++i) {
      auto fork = must(fork_process({}));
      if (fork.in_child) {
        waiters.clear();
        end_now(thread_count().value_or(1));
      }
      CHECK(join(fork.child) == exited(1));
      waiters.pop_back();
    }
    CHECK(eventually([&] {
      auto next = must(launch(shell("exit 0")));
      join(next);
      return child_count() == before;
    }));
  }

  TEST_CASE_FIXTURE(LeakCheck, "without a free descriptor a zombie is not alive, nor is a stranger") {
    auto ended = must(launch(shell("exit 3")));
    wait_for(ended);
    auto stranger = current_identity();
    ++stranger.start_time;
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    {
      const UsedUpDescriptors none_left;
      CHECK_FALSE(is_alive({ended.pid(), 0}));
      CHECK_FALSE(is_alive({ended.pid(), 1}));
      CHECK(outcome(identify(ended.pid())) == Condition::gone);
      CHECK(is_alive(current_identity()));
      CHECK_FALSE(is_alive(stranger));
      CHECK(outcome(open_sentinel(stranger)) != success);
    }
    CHECK(join(ended) == exited(3));
  }
}

}  // namespace multiprocessing::platform::posix_sentinel_tests
