// Reports of crashes: what a dying child still says, and that it dies as it would have otherwise.
#include "contract/crash.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/system.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::crash_tests {

// A named function that writes where nothing is, called through a volatile pointer so that it stays one.
void write_to(volatile int* place);
void write_to(volatile int* place) { *place = 1; }
using Writer = void (*)(volatile int*);
volatile Writer writer = &write_to;

// More such functions; each does something after its call, so that the call is no jump.
volatile int after_calls = 0;
using Step = void (*)();
volatile Step ending = [] { std::abort(); };
void calls_abort();
void calls_abort() {
  ending();
  after_calls = after_calls + 1;
}
volatile Step aborts = &calls_abort;

using Recursion = int (*)(int);
extern volatile Recursion recursion;
int recurses(int depth);
int recurses(int depth) {
  volatile char frame[2048] = {};
  frame[static_cast<std::size_t>(depth) % sizeof(frame)] = 1;
  return recursion(depth + 1) + frame[0];
}
volatile Recursion recursion = &recurses;

namespace {

using namespace test_support;

constexpr std::uintptr_t nowhere = 0x10;
const std::string prefix = "[prefix]";

volatile int* invalid_place() {
  static volatile std::uintptr_t address = nowhere;
  return reinterpret_cast<volatile int*>(address);
}

void crash_by(const std::string& way) {
  if (way == "write") writer(invalid_place());
  if (way == "abort") aborts();
  if (way == "overflow") after_calls = recursion(0);
  if (way == "overflow in thread") std::thread([] { after_calls = recursion(0); }).join();
  if (way == "raise") std::raise(SIGSEGV);
  if (way == "thread") std::thread([] { writer(invalid_place()); }).join();
  if (way == "threads") {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([] { writer(invalid_place()); });
    for (std::thread& thread : threads) thread.join();
  }
  if (way == "terminate") std::terminate();
}

const ChildFunction crash("crash", [](ChildContext& context) {
  must(arm_crash_reports(context.channel.get(), test_support::bytes_of(prefix)));
  if (context.arguments.at(0) == "twice")
    must(arm_crash_reports(context.channel.get(), test_support::bytes_of(prefix)));
  if (context.arguments.at(0) == "disarmed") disarm_crash_reports();
  crash_by(context.arguments.at(1));
  return 0;
});

const ChildFunction crash_while_held("crash_while_held", [](ChildContext& context) {
  must(arm_crash_reports(context.channel.get(), test_support::bytes_of(prefix)));
  hold_crash_reports();
  if (context.arguments.at(0) == "released") release_crash_reports();
  must(context.channel.write_all(test_support::bytes_of("message"), patience()));
  crash_by("thread");
  return 0;
});

// The same crash without anybody who reports it.
const ChildFunction crash_unreported("crash_unreported", [](ChildContext& context) {
  crash_by(context.arguments.at(0));
  return 0;
});

std::string report_of(const std::string& way, const std::string& arming = "once") {
  Child child = start(crash, {arming, way});
  std::string bytes = read_to_end(child.channel);
  const ExitStatus status = child.join();
  Child silent = start(crash_unreported, {way});
  CHECK(read_to_end(silent.channel).empty());
  CHECK(status == silent.join());
  return bytes;
}

CrashRecord record_in(const std::string& bytes) {
  REQUIRE(bytes.starts_with(prefix));
  return must(read_crash_record(test_support::bytes_of(bytes).subspan(prefix.size())));
}

void check_holds_function(const CrashRecord& record, const std::string& name) {
  std::string names;
  bool found = false;
  for (const Symbol& symbol : find_symbols(crash_frames(record))) {
    names += symbol.function + '\n';
    found = found || symbol.function.starts_with(name);
  }
  INFO(names);
  CHECK(found);
}

void check_invalid_write(const CrashRecord& record) {
  CHECK(record.fault_address == nowhere);
  CHECK(record.code != 0);
  CHECK(describe_crash(record).find("0x10") != std::string::npos);
  if (!capabilities().crash_stacks || !capabilities().symbol_names)
    return skip("crashes are reported without stacks");
  check_holds_function(record, "multiprocessing::platform::crash_tests::write_to(");
}

}  // namespace

TEST_SUITE("contract.crash") {
  TEST_CASE_FIXTURE(LeakCheck, "an invalid write is reported with its address and its function") {
    check_invalid_write(record_in(report_of("write")));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a crash of a second thread is reported") {
    check_invalid_write(record_in(report_of("thread")));
  }

  TEST_CASE_FIXTURE(LeakCheck, "threads that crash together give one report") {
    check_invalid_write(record_in(report_of("threads")));
  }

  TEST_CASE_FIXTURE(LeakCheck, "arming again changes nothing for who reads") {
    check_invalid_write(record_in(report_of("write", "twice")));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a disarmed process says nothing and dies the same") {
    CHECK(report_of("write", "disarmed").empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "while another message is written no report comes into it") {
    Child silent = start(crash_unreported, {"thread"});
    const ExitStatus expected = silent.join();
    Child holding = start(crash_while_held, {"held"});
    CHECK(read_to_end(holding.channel) == "message");
    CHECK(holding.join() == expected);
    Child released = start(crash_while_held, {"released"});
    const std::string bytes = read_to_end(released.channel);
    REQUIRE(bytes.starts_with("message"));
    check_invalid_write(record_in(bytes.substr(7)));
    CHECK(released.join() == expected);
  }

  TEST_CASE_FIXTURE(LeakCheck, "abort is reported where processes have signals") {
    if (!capabilities().signals) return skip("abort is an exit code here");
    for (const char* way : {"abort", "terminate"}) {
      const CrashRecord record = record_in(report_of(way));
      CHECK(record.code == SIGABRT);
      CHECK(record.fault_address == 0);
      CHECK(describe_crash(record) == "SIGABRT");
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "abort names who called it") {
    if (!capabilities().crash_stacks || !capabilities().symbol_names)
      return skip("crashes are reported without stacks");
    check_holds_function(record_in(report_of("abort")),
                         "multiprocessing::platform::crash_tests::calls_abort(");
  }

  TEST_CASE_FIXTURE(LeakCheck, "an overflow of the stack is reported") {
    for (const std::string name : {"MULTIPROCESSING_TEST_EMULATED", "MULTIPROCESSING_SANITIZED"})
      if (environment_variable(name.c_str()).value_or("") != "")
        return skip("wine ends the thread whose stack overflows, and sanitizers report it themselves");
    std::vector<std::string> ways = {"overflow"};
    if (crash_reports_survive_overflow_in_threads()) ways.emplace_back("overflow in thread");
    for (const std::string& way : ways) {
      const CrashRecord record = record_in(report_of(way));
      CHECK(record.code != 0);
      if (!capabilities().crash_stacks || !capabilities().symbol_names) continue;
      CHECK(record.frame_count == CrashRecord::frame_capacity);
      check_holds_function(record, "multiprocessing::platform::crash_tests::recurses(");
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a signal that a process sends itself is reported where there are signals") {
    if (!capabilities().signals) return skip("raise() is an exit code here");
    const CrashRecord record = record_in(report_of("raise"));
    CHECK(record.code == SIGSEGV);
    CHECK(record.fault_address == 0);
    CHECK(describe_crash(record) == "SIGSEGV");
  }

  TEST_CASE_FIXTURE(LeakCheck, "a reader that is gone does not change how the process dies") {
    Child silent = start(crash_unreported, {"write"});
    const ExitStatus expected = silent.join();
    Child child = start(crash, {"once", "write"});
    child.channel.close();
    CHECK(child.join() == expected);
  }

  TEST_CASE("wrong arguments are refused") {
    const std::vector<std::byte> long_prefix(crash_prefix_capacity + 1);
    CHECK(outcome(arm_crash_reports(no_handle, {})) == Condition::invalid_argument);
    CHECK(outcome(arm_crash_reports(1, long_prefix)) == Condition::invalid_argument);
  }

  TEST_CASE("records that make no sense are refused") {
    CrashRecord good;
    good.magic = CrashRecord::expected_magic;
    good.frame_count = 1;
    good.image_count = 1;
    good.frames[0] = {0, 16};
    const auto outcome_of = [](const CrashRecord& record) {
      return outcome(read_crash_record(std::as_bytes(std::span(&record, 1))));
    };
    CHECK(outcome_of(good) == success);
    CHECK(crash_frames(good).size() == 1);
    CHECK(outcome(read_crash_record({})) == Condition::corrupt);
    CHECK(outcome(read_crash_record(std::as_bytes(std::span(&good, 1)).subspan(1))) == Condition::corrupt);
    CrashRecord bad = good;
    bad.magic = 0;
    CHECK(outcome_of(bad) == Condition::corrupt);
    bad = good;
    bad.frame_count = CrashRecord::frame_capacity + 1;
    CHECK(outcome_of(bad) == Condition::corrupt);
    bad = good;
    bad.image_count = CrashRecord::image_capacity + 1;
    CHECK(outcome_of(bad) == Condition::corrupt);
    bad = good;
    bad.frames[0].image = 1;
    CHECK(outcome_of(bad) == Condition::corrupt);
    bad = good;
    bad.images[5].path.back() = 'x';
    CHECK(outcome_of(bad) == Condition::corrupt);
  }
}

}  // namespace multiprocessing::platform::crash_tests
