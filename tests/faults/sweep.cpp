// ctest: timeout=300 cost=80
// Fails the N-th call of every kind that starting, watching, waiting for and stopping children makes, for
// every N and every documented condition: each failure is reported or recovered from, nothing leaks, nothing
// hangs. What was never made to fail is named, with the reason.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/fault.hpp"
#include "injection.hpp"
#include "sweeping.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace faults_sweep {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;
using faults::demand_equal;
using faults::injected_here;
using faults::injected_in_child;
using faults::planned;
using faults::WrongOutcome;
using platform::Call;
using platform::Condition;
using namespace std::chrono_literals;

// ---- what may come of it

std::string told(const std::string& what, const mp::Process& p) { return what + ": " + p.exit_reason(); }

/// The code that the target gave; or, with a failure, one of the ends that it can lead to.
void demand_exit(const mp::Process& p, int code) {
  const int ended = p.exitcode().value_or(-1000);
  if (ended == code) return;
  // A child whose own call failed says so and ends with 1.
  if (ended == 1 && injected_in_child()) return;
  // A child that could not be told what to run is killed.
  const bool undelivered = planned != nullptr && planned->call == Call::channel_write && injected_here() &&
                           planned->condition == Condition::broken;
  if (ended == -9 && undelivered) return;
  throw WrongOutcome{told("wrong exit code " + std::to_string(ended), p)};
}

// ---- scenarios

int add(int a, int b) { return a + b; }

[[noreturn]] void end_with_three() { mp::exit(3); }

/// Ends when its input does.
void until_input_ends() {
  char byte = 0;
  while (std::fread(&byte, 1, 1, stdin) == 1) {
  }
}

/// Ends with 4 once it is told to stop.
int until_told() {
  try {
    mp::connection::wait({mp::parent_process()->sentinel()}, mp::infinite, mp::stop_token());
  } catch (const mp::CancelledError&) {
  }
  return 4;
}

[[noreturn]] void exit_when_told() { mp::exit(until_told()); }

/// Reads its input, and says nothing.
mp::ProcessOptions silent_reader() {
  return {.standard_input = mp::Stdio::pipe,
          .standard_output = mp::Stdio::null,
          .standard_error = mp::Stdio::null};
}

/// A child with a directory, an environment and streams of its own.
void options(mp::Context& context) {
  mp::ProcessOptions wanted;
  wanted.standard_error = mp::Stdio::null;
  wanted.standard_input = mp::Stdio::null;
  wanted.standard_output = mp::Stdio::pipe;
  wanted.working_directory = std::filesystem::temp_directory_path().string();
  wanted.environment = faults::plain_environment();
  wanted.priority = mp::Priority::below_normal;
  auto p = context.Process(wanted, end_with_three);
  p.start();
  p.standard_output().read_all();
  p.join();
  demand_exit(p, 3);
}

void calls(mp::Context& context) { demand_equal(context.call(add, 2, 3), 5, "sum of a call"); }

void futures(mp::Context& context) {
  demand_equal(context.call_async(add, 3, 4).result(), 7, "sum of a future");
}

/// Waits as there are ways to, on a child that runs until its input ends. In a thread of its own, which
/// takes what it remembers of its waits with it.
void waiting(mp::Context& context) {
  auto p = context.Process(silent_reader(), until_input_ends);
  p.start();
  if (p.exitcode()) return demand_exit(p, 0);  // it failed at once
  std::async(std::launch::async, [&] {
    const std::vector<mp::Waitable> many(40, mp::Waitable(p));
    for (int i = 0; i < 2; ++i) {
      const auto ready = mp::connection::wait(many, 0s).size();
      if (ready != 0 && ready != many.size()) throw WrongOutcome{"some of one and the same are ready"};
    }
    p.standard_input().close();
    demand_equal(mp::connection::wait(many).size(), many.size(), "number of what is ready");
  }).get();
  demand_equal(p.join(60s), true, "answer of join");
  demand_exit(p, 0);
}

void joins(mp::Context& context) {
  auto p = context.Process(silent_reader(), until_input_ends);
  p.start();
  const mp::StopSource nobody;
  const bool early = p.join(0s) || p.join(0s, nobody.token());
  if (early && !p.exitcode()) throw WrongOutcome{"join says that a process has ended that runs"};
  p.standard_input().close();
  const mp::TimeLimit limit(60s);
  p.join(limit.token());
  demand_exit(p, 0);
}

void stops(mp::Context& context) {
  auto p = context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::null}, exit_when_told);
  p.start();
  p.stop(planned == nullptr ? 20s : 1s);
  // A request that did not arrive is followed by terminate() and kill().
  const int code = p.exitcode().value_or(-1000);
  if (planned != nullptr && (code == -15 || code == -9)) return;
  demand_exit(p, 4);
}

/// One of the two reaches it, whichever fails.
void kills(mp::Context& context) {
  auto p = context.Process(silent_reader(), until_input_ends);
  p.start();
  p.terminate();
  p.kill();
  p.join();
  if (p.exitcode() != -15) demand_exit(p, -9);
}

void limits(mp::Context&) {
  demand_equal(mp::run_with_timeout(60s, add, 4, 5), 9, "sum within a limit");
  try {
    mp::run_with_timeout(50ms, until_told);
    throw WrongOutcome{"a call that took too long has a result"};
  } catch (const mp::TimeoutError&) {
  }
}

std::set<faults::Row> reached;
int scenarios_swept = 0;

void sweep(faults::Scenario scenario) {
  faults::sweep(scenario, reached);
  ++scenarios_swept;
}

// ---- what the scenarios cannot reach

struct Unreached {
  std::string_view call;
  std::string_view method;  ///< "" = any
  const char* why;
  bool surely = true;  ///< false: a backend may make it on its own account
};

std::vector<Unreached> unreached() {
  std::vector<Unreached> list = {
      {"wait_either", "", "made by the thread that watches a parent: faults.child_faults", false},
      {"duplicate_handle", "", "only connections are duplicated; contract.faults", false},
      {"send_handles", "spawn", "only connections travel; contract.faults"},
      {"send_handles", "fork", "only connections travel; contract.faults"},
      {"receive_handles", "spawn", "only connections travel; contract.faults"},
      {"receive_handles", "fork", "only connections travel; contract.faults"},
      {"channel_finish_writing", "", "no part of this release ends one direction alone; contract.faults"},
      {"identify", "", "only where a sentinel cannot be sent; contract.faults", false},
      {"limit_memory", "", "no scenario here has a limit; contract.faults"},
      {"listener_listen", "", "no scenario here listens: faults.listeners"},
      {"listener_accept", "", "no scenario here listens: faults.listeners"},
      {"connect", "", "no scenario here connects: faults.listeners"},
      {"random_bytes", "", "once in a program: faults.first_use"},
      {"event_loop_create", "", "once in a program: faults.first_use"},
      {"load_image", "", "only for a target in a library that the child lacks; contract.faults"},
      {"command_line", "", "only freeze_support() without arguments makes it; contract.faults"},
      {"resolve", "", "a spawned child's: faults.child_faults"},
      {"channel_adopt", "", "the first thing that a spawned child does: faults.child_faults", false},
      {"end_with_peer", "spawn", "a spawned child's: faults.child_faults"},
      {"arm_crash_report", "spawn", "a spawned child's: faults.child_faults"},
      {"open_sentinel", "spawn", "a spawned child's: faults.child_faults"},
      {"run_in_background", "spawn", "a spawned child's: faults.child_faults", false},
      {"bind_standard_streams", "spawn", "a part of launch"},
      {"change_working_directory", "spawn", "a part of launch"},
      {"replace_environment", "spawn", "a part of launch"},
      {"change_priority", "spawn", "a part of launch"},
      {"fork_process", "spawn", "nothing is forked"},
      {"launch", "fork", "nothing is executed"},
      {"executable_path", "fork", "nothing is executed"},
      {"locate", "fork", "nothing has to be found again"},
  };
  for (const char* call :
       {"end_with_peer", "arm_crash_report", "open_sentinel", "run_in_background", "bind_standard_streams",
        "change_working_directory", "replace_environment", "change_priority", "fork_process"})
    list.push_back({call, "forkserver", "the server's, or its child's: faults.server_faults", false});
  for (const char* call : {"launch", "executable_path"})
    list.push_back({call, "forkserver", "once for each server: faults.server_faults", false});
  if (!platform::capabilities().kept_wait_sets)
    for (const char* call : {"wait_set_create", "wait_set_add", "wait_set_wait"})
      list.push_back({call, "", "this system waits for many without a set"});
  return list;
}

/// Null if it has to be reached.
const Unreached* reason_for(std::string_view call, std::string_view method) {
  static const auto list = unreached();
  for (const auto& each : list)
    if (call == each.call && (each.method.empty() || method == each.method)) return &each;
  return nullptr;
}

TEST_SUITE("faults.sweep") {
  TEST_CASE("any one call fails while a child with options of its own is started and joined") {
    sweep(options);
  }
  TEST_CASE("any one call fails while another process is called") { sweep(calls); }
  TEST_CASE("any one call fails while a future is waited for") { sweep(futures); }
  TEST_CASE("any one call fails while many are waited for") { sweep(waiting); }
  TEST_CASE("any one call fails while a child is joined with a limit") { sweep(joins); }
  TEST_CASE("any one call fails while a child is stopped") { sweep(stops); }
  TEST_CASE("any one call fails while a child is killed") { sweep(kills); }
  TEST_CASE("any one call fails while a call has a time limit") { sweep(limits); }

  TEST_CASE("every call has failed with every condition, or it is known why it cannot") {
    if (scenarios_swept < 8) return;  // only some of the cases were asked for
    for (const std::string& method : mp::get_all_start_methods())
      for (const auto& row : platform::fault_table)
        for (const auto condition : row.distinct()) {
          const Unreached* known = reason_for(row.name, method);
          INFO(method, ": ", std::string(row.name), " as ", std::string(platform::name_of(condition)), ": ",
               std::string(known != nullptr ? known->why : "has to be reached"));
          if (known == nullptr || known->surely)
            CHECK(reached.contains({method, row.call, condition}) == (known == nullptr));
        }
  }

  TEST_CASE("reads and writes that are cut to a few bytes change nothing") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      for (const auto bytes : std::initializer_list<std::size_t>{1, 3, 7}) {
        platform::fault_plan::clear();
        platform::fault_plan::cut(Call::channel_read, bytes);
        platform::fault_plan::cut(Call::channel_write, bytes);
        for (const faults::Scenario scenario : {options, calls, futures, stops})
          CHECK_NOTHROW(scenario(context));
        platform::fault_plan::clear();
      }
    });
  }
}

}  // namespace faults_sweep
