// Starting children, watching them, and how they end.
#include "contract/process.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "contract/console.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::process_tests {
namespace {

using namespace test_support;

const ChildFunction ends_at_once("ends_at_once", [](ChildContext& context) -> int {
  end_now(std::stoi(context.arguments.at(0)));
});

const ChildFunction tells_pid("tells_pid", [](ChildContext& context) {
  send_number(context.channel, current_pid());
  return 0;
});

/// Waits for the end of its channel, whatever comes.
const ChildFunction waits("waits", [](ChildContext& context) {
  while (!at_end(context.channel)) {
  }
  return 0;
});

struct Released {
  ~Released() { std::exit(50); }  // must not run
};

const ChildFunction ends_without_cleaning_up("ends_without_cleaning_up", [](ChildContext&) -> int {
  static const Released at_exit;
  const Released here;
  std::atexit([] { std::_Exit(51); });
  end_now(4);
});

void check_alone(Child& child) {
  child.channel.close();
  CHECK(child.join() == exited(0));
}

int quick_starts() { return slow() ? 50 : 200; }

}  // namespace

TEST_SUITE("contract.process") {
  TEST_CASE_FIXTURE(LeakCheck, "the exit code comes back") {
    for (const int code : {0, 1, 3, 255}) {
      CAPTURE(code);
      auto returned = start(exit_with, {std::to_string(code)});
      auto ended = start(ends_at_once, {std::to_string(code)});
      CHECK(returned.join() == exited(code));
      CHECK(ended.join() == exited(code));
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "ending at once runs neither destructors nor handlers") {
    auto child = start(ends_without_cleaning_up);
    CHECK(child.join() == exited(4));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child has a process of its own") {
    auto child = start(tells_pid);
    CHECK(child.process.pid() > 0);
    CHECK(child.process.pid() != current_pid());
    CHECK(receive_number(child.channel) == child.process.pid());
    CHECK(child.join() == exited(0));
    CHECK(child.process.pid() > 0);
  }

  TEST_CASE_FIXTURE(LeakCheck, "the sentinel is ready when the child has ended, not before") {
    auto child = start(waits);
    CHECK(child.process.sentinel() != no_handle);
    CHECK(outcome(wait_one(child.process.sentinel(), Deadline::now())) == Condition::timed_out);
    CHECK_FALSE(child.process.poll().has_value());
    child.channel.close();
    CHECK(outcome(wait_one(child.process.sentinel(), patience())) == success);
    CHECK(outcome(wait_one(child.process.sentinel(), Deadline::now())) == success);
    REQUIRE(child.process.poll().has_value());
    CHECK(*child.process.poll() == exited(0));
    CHECK(outcome(wait_one(child.process.sentinel(), Deadline::now())) == success);
  }

  TEST_CASE_FIXTURE(LeakCheck, "polling never waits and always answers the same after the end") {
    auto child = start(waits);
    for (int i = 0; i < 100; ++i) CHECK_FALSE(child.process.poll().has_value());
    must(child.process.send(StopSignal::kill));
    const auto status = child.join();
    for (int i = 0; i < 3; ++i) CHECK(child.process.poll() == status);
  }

  TEST_CASE_FIXTURE(LeakCheck, "many threads may poll and wait for one child") {
    for (int round = 0; round < 5; ++round) {
      auto child = start(waits);
      std::vector<std::future<ExitStatus>> threads;
      for (int i = 0; i < 4; ++i)
        threads.push_back(std::async(std::launch::async, [&] { return join(child.process); }));
      threads.push_back(std::async(std::launch::async, [&] {
        std::optional<ExitStatus> status;
        while (!status) status = child.process.poll();
        return *status;
      }));
      child.channel.close();
      for (auto& thread : threads) CHECK(thread.get() == exited(0));
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "many children are waited for together") {
    std::vector<Child> children;
    std::vector<RawHandle> sentinels;
    for (int i = 0; i < 5; ++i) sentinels.push_back(children.emplace_back(start(waits)).process.sentinel());
    CHECK(must(wait_any(sentinels, Deadline::now())).empty());
    children[3].channel.close();
    CHECK(must(wait_any(sentinels, patience())) == std::vector<std::size_t>{3});
    for (auto& child : children) check_alone(child);
    CHECK(must(wait_any(sentinels, patience())).size() == 5);
  }

  TEST_CASE_FIXTURE(LeakCheck, "moving passes a child on") {
    auto first = start(waits);
    const auto sentinel = first.process.sentinel();
    ChildProcess second(std::move(first.process));
    ChildProcess third;
    third = std::move(second);
    CHECK(third.sentinel() == sentinel);
    first.channel.close();
    CHECK(join(third) == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "children that nobody waits for leave nothing behind after the next start") {
    std::vector<ProcessIdentity> dropped;
    for (int i = 0; i < 3; ++i) {
      auto [ours, theirs] = must(channel_pair());
      Inherited inherited;
      inherited.handle = theirs.get();
      const auto child = must(launch(request_for(echo, {}, inherited)));
      dropped.push_back(must(identify(child.pid())));
    }
    for (const auto& identity : dropped) CHECK(eventually([&] { return !is_alive(identity); }));
    auto next = start(exit_with, {"0"});
    CHECK(next.join() == exited(0));
    for (const auto& identity : dropped) {
      const auto now = identify(identity.pid);
      if (now) CHECK(*now != identity);  // the pid may be another's by now
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "an object that goes does not stop its child") {
    auto [ours, theirs] = must(channel_pair());
    Inherited inherited;
    inherited.handle = theirs.get();
    ProcessIdentity identity;
    {
      const auto child = must(launch(request_for(echo, {}, inherited)));
      identity = must(identify(child.pid()));
    }
    theirs.close();
    send_text(ours, "alive");
    CHECK(receive_text(ours) == "alive");
    ours.close();
    CHECK(eventually([&] { return !is_alive(identity); }));
    auto next = start(exit_with, {"0"});  // takes away what is left of the other
    CHECK(next.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "hundreds of quick starts leak nothing") {
    const Holdings before = holdings();
    for (int i = 0; i < quick_starts(); ++i) {
      auto child = must(launch(request_for(exit_with, {"7"})));
      REQUIRE(join(child) == exited(7));
    }
    CHECK(returns_to(before));
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "a child that has ended is the same whether it is started with or without waiting") {
    std::vector<ChildProcess> children;
    for (int i = 0; i < 20; ++i)
      children.push_back(must(launch(request_for(exit_with, {std::to_string(i)}))));
    for (int i = 0; i < 20; ++i) CHECK(join(children[static_cast<std::size_t>(i)]) == exited(i));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a priority is accepted") {
    for (const auto priority : {PriorityClass::normal, PriorityClass::below_normal}) {
      auto child = start(tells_pid, {}, [&](LaunchRequest& request) { request.priority = priority; });
      CHECK(receive_number(child.channel) == child.process.pid());
      CHECK(child.join() == exited(0));
    }
    // On a busy machine one in the background may not run at all for long: it is not waited for.
    const auto background =
        start(waits, {}, [](LaunchRequest& request) { request.priority = PriorityClass::background; });
    CHECK(background.process.pid() > 0);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a console of its own changes nothing else") {
    auto child = start(tells_pid, {}, [](LaunchRequest& request) { request.new_console = true; });
    CHECK(receive_number(child.channel) == child.process.pid());
    CHECK(child.join() == exited(0));
  }

  TEST_CASE("the end of a process is described in words") {
    CHECK(describe(exited(3)) == "exit 3");
    CHECK(describe(ExitStatus{}) == "ended, exit code unknown");
    CHECK_FALSE(signal_name(exited(3)).has_value());
    CHECK_FALSE(signal_name(ExitStatus{}).has_value());
    CHECK(signal_name(signalled(-15)) == "SIGTERM");
    CHECK(signal_name(signalled(-9)) == "SIGKILL");
    CHECK(describe(signalled(-15)) == "signal 15 (SIGTERM)");
    CHECK(describe(signalled(-9)) == "signal 9 (SIGKILL)");
  }
}

}  // namespace multiprocessing::platform::process_tests
