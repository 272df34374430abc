// Crash reports, where the conformance suite cannot look: stack overflow, jumps to nowhere, handlers of the
// application, pipes that are full or broken.
#include "contract/crash.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/results.hpp"
#include "unsanitized.hpp"

namespace multiprocessing::platform::posix_crash_tests {

// Called through volatile pointers, so that they stay functions with names, and without the checks of
// sanitizers, which would find the mistakes first.
volatile int after_calls = 0;
MULTIPROCESSING_UNSANITIZED int recurse_for_ever(int depth);
using Recursion = int (*)(int);
extern volatile Recursion recursion;
int recurse_for_ever(int depth) {
  volatile char space[1024] = {};
  space[static_cast<std::size_t>(depth) % sizeof(space)] = 1;
  return recursion(depth + 1) + space[0];
}
volatile Recursion recursion = &recurse_for_ever;

using Jump = void (*)();
volatile Jump no_function = nullptr;
MULTIPROCESSING_UNSANITIZED void jump_to_nowhere();
void jump_to_nowhere() {
  no_function();
  after_calls = after_calls + 1;
}
volatile Jump jump = &jump_to_nowhere;

MULTIPROCESSING_UNSANITIZED void divide();
void divide() {
  volatile int zero = 0;
  after_calls = after_calls / zero;
}
volatile Jump division = &divide;

namespace {

using namespace test_support;

struct Ended {
  int status = 0;
  std::string bytes;
  [[nodiscard]] bool killed_by(int signal) const { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }
  [[nodiscard]] bool exited_with(int code) const { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
  [[nodiscard]] CrashRecord record() const {
    return must(read_crash_record(std::as_bytes(std::span(bytes))));
  }
};

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() { REQUIRE(::pipe2(ends, O_CLOEXEC) == 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_reader();
    close_writer();
  }
  void close_reader() { close_end(ends[0]); }
  void close_writer() { close_end(ends[1]); }
  static void close_end(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
  [[nodiscard]] std::string read_to_end() const {
    std::string text;
    char buffer[4096];
    for (ssize_t size = 0; (size = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<std::size_t>(size));
    }
    return text;
  }
};

// The signals as a new program has them: doctest and sanitizers have handlers of their own.
void use_default_actions() {
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM}) std::signal(signal, SIG_DFL);
  const rlimit no_core = {0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
}

// Runs `body`, which must not return, in a forked child that is armed with the pipe.
Ended run(const std::function<void()>& body, Pipe& pipe) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    use_default_actions();
    ::close(pipe.ends[0]);
    if (!arm_crash_reports(pipe.ends[1], {})) ::_exit(98);
    body();
    ::_exit(99);
  }
  pipe.close_writer();
  Ended ended;
  if (pipe.ends[0] >= 0) ended.bytes = pipe.read_to_end();
  REQUIRE(::waitpid(child, &ended.status, 0) == child);
  return ended;
}

Ended run(const std::function<void()>& body) {
  Pipe pipe;
  return run(body, pipe);
}

std::vector<std::string> functions_of(const CrashRecord& record) {
  std::vector<std::string> names;
  for (const Symbol& symbol : find_symbols(crash_frames(record))) names.push_back(symbol.function);
  return names;
}

bool any_is(const std::vector<std::string>& names, const std::string& name) {
  const std::string full = "multiprocessing::platform::posix_crash_tests::" + name;
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& each) { return each.starts_with(full); });
}

MULTIPROCESSING_UNSANITIZED void write_nowhere() {
  static volatile std::uintptr_t address = 0x20;
  *reinterpret_cast<volatile int*>(address) = 1;
}

}  // namespace

TEST_SUITE("backend.crash") {
  TEST_CASE_FIXTURE(LeakCheck, "a stack overflow of the thread that armed is reported") {
    const Ended ended = run([] {
      const rlimit small = {1 << 20, 1 << 20};
      ::setrlimit(RLIMIT_STACK, &small);
      recursion(0);
    });
    CHECK(ended.killed_by(SIGSEGV));
    const CrashRecord record = ended.record();
    CHECK(record.frame_count > 0);
    if (capabilities().symbol_names) CHECK(any_is(functions_of(record), "recurse_for_ever(int)"));
  }

  TEST_CASE_FIXTURE(LeakCheck, "each thread that arms gets a stack of its own") {
    Pipe pipe;
    const auto has_own_stack = [&pipe] {
      stack_t first{};
      stack_t second{};
      ::sigaltstack(nullptr, &first);
      std::thread([&] {
        if (!arm_crash_reports(pipe.ends[1], {})) ::_exit(97);
        ::sigaltstack(nullptr, &second);
      }).join();
      return first.ss_sp != nullptr && second.ss_sp != nullptr && first.ss_sp != second.ss_sp;
    };
    const Ended ended = run([&] { ::_exit(has_own_stack() ? 0 : 1); }, pipe);
    CHECK(WIFEXITED(ended.status));
    CHECK(WEXITSTATUS(ended.status) == 0);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a call of a null function shows who called") {
    const Ended ended = run([] { jump(); });
    CHECK(ended.killed_by(SIGSEGV));
    const CrashRecord record = ended.record();
    REQUIRE(record.frame_count >= 2);
    CHECK(record.frames[0].image == CrashFrame::no_image);
    CHECK(record.frames[0].offset == 0);
    if (capabilities().symbol_names) CHECK(any_is(functions_of(record), "jump_to_nowhere()"));
  }

  TEST_CASE_FIXTURE(LeakCheck, "the first frame is the instruction that failed") {
    const Ended ended = run([] { division(); });
    if (!ended.killed_by(SIGFPE)) return skip("this processor does not trap division by zero");
    const CrashRecord record = ended.record();
    CHECK(record.code == SIGFPE);
    CHECK(describe_crash(record) == "SIGFPE (integer division by zero)");
    if (capabilities().symbol_names)
      CHECK(functions_of(record).front() == "multiprocessing::platform::posix_crash_tests::divide()");
  }

  TEST_CASE_FIXTURE(LeakCheck, "a signal from another process is reported without an address") {
    const Ended ended = run([] { ::kill(::getpid(), SIGBUS); });
    CHECK(ended.killed_by(SIGBUS));
    CHECK(ended.record().fault_address == 0);
    CHECK(describe_crash(ended.record()) == "SIGBUS");
  }

  TEST_CASE_FIXTURE(LeakCheck, "the handler that was there before runs after the report") {
    Pipe pipe;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      use_default_actions();
      struct sigaction action = {};
      action.sa_handler = [](int) { ::_exit(7); };
      ::sigaction(SIGSEGV, &action, nullptr);
      ::sigaction(SIGABRT, &action, nullptr);
      if (!arm_crash_reports(pipe.ends[1], {})) ::_exit(98);
      write_nowhere();
      ::_exit(99);
    }
    pipe.close_writer();
    Ended ended;
    ended.bytes = pipe.read_to_end();
    REQUIRE(::waitpid(child, &ended.status, 0) == child);
    CHECK(ended.exited_with(7));
    CHECK(ended.record().fault_address == 0x20);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a handler that is installed later wins") {
    const Ended ended = run([] {
      std::signal(SIGSEGV, [](int) { ::_exit(8); });
      write_nowhere();
    });
    CHECK(ended.exited_with(8));
    CHECK(ended.bytes.empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a pipe without a reader does not change the cause of death") {
    Pipe pipe;
    pipe.close_reader();
    CHECK(run(write_nowhere, pipe).killed_by(SIGSEGV));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a full pipe that nobody reads costs the report and not the death") {
    Pipe pipe;
    const int flags = ::fcntl(pipe.ends[1], F_GETFL);
    ::fcntl(pipe.ends[1], F_SETFL, flags | O_NONBLOCK);
    const std::vector<char> filler(4096, 'x');
    while (::write(pipe.ends[1], filler.data(), filler.size()) > 0) {
    }
    ::fcntl(pipe.ends[1], F_SETFL, flags);
    const int reader = std::exchange(pipe.ends[0], -1);
    const Ended ended = run(write_nowhere, pipe);
    CHECK(ended.killed_by(SIGSEGV));
    ::close(reader);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a process that was forked off does not report in its parent's name") {
    const Ended ended = run([] {
      const pid_t grandchild = ::fork();
      if (grandchild == 0) write_nowhere();
      int status = 0;
      ::waitpid(grandchild, &status, 0);
      ::_exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? 3 : 4);
    });
    CHECK(ended.exited_with(3));
    CHECK(ended.bytes.empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "an ignored signal stays ignored") {
    Pipe pipe;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      use_default_actions();
      std::signal(SIGTRAP, SIG_IGN);
      if (!arm_crash_reports(pipe.ends[1], {})) ::_exit(98);
      ::kill(::getpid(), SIGTRAP);
      ::_exit(5);
    }
    pipe.close_writer();
    CHECK(pipe.read_to_end().empty());
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 5);
  }
}

}  // namespace multiprocessing::platform::posix_crash_tests
