// Forking, where the system can.
#include <doctest/doctest.h>

#include <array>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/channel.hpp"
#include "contract/process.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::fork_tests {
namespace {

using namespace test_support;

bool skipped() {
  if (capabilities().fork) return false;
  skip("this system does not fork");
  return true;
}

/// Runs `work` in a forked child and ends it with the result; 99 if it throws.
template <class Work>
ChildProcess forked(std::span<const RawHandle> close_in_child, Work work) {
  auto fork = must(fork_process(close_in_child));
  if (!fork.in_child) return std::move(fork.child);
  try {
    end_now(work());
  } catch (const std::exception&) {
    end_now(99);
  }
}

}  // namespace

TEST_SUITE("contract.fork") {
  TEST_CASE_FIXTURE(LeakCheck, "where there is no fork, it is not supported") {
    if (capabilities().fork) return;
    CHECK(outcome(fork_process({})) == Condition::not_supported);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a forked child has a pid and an exit code of its own") {
    if (skipped()) return;
    const int parent = current_pid();
    auto [ours, theirs] = must(channel_pair());
    auto child = forked({}, [&, end = &theirs] {
      send_number(*end, current_pid());
      send_number(*end, current_identity().pid);
      return current_pid() == parent ? 1 : 7;
    });
    CHECK(child.pid() != parent);
    CHECK(receive_number(ours) == child.pid());
    CHECK(receive_number(ours) == child.pid());
    CHECK(join(child) == exited(7));
    CHECK(current_pid() == parent);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a forked child is no child to itself") {
    if (skipped()) return;
    auto fork = must(fork_process({}));
    if (fork.in_child) end_now(fork.child.sentinel() == no_handle ? 0 : 1);
    CHECK(join(fork.child) == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "memory is copied, not shared") {
    if (skipped()) return;
    std::vector<int> numbers{1, 2, 3};
    auto child = forked({}, [&] {
      if (numbers != std::vector{1, 2, 3}) return 1;
      numbers.push_back(4);
      return numbers.size() == 4 ? 0 : 2;
    });
    CHECK(join(child) == exited(0));
    CHECK(numbers == std::vector{1, 2, 3});
  }

  TEST_CASE_FIXTURE(LeakCheck, "handles that are named are closed in the child, the others are not") {
    if (skipped()) return;
    auto [ours, theirs] = must(channel_pair());
    auto [other, peer] = must(channel_pair());
    const std::array close_there{ours.get(), other.get()};
    auto child = forked(close_there, [&, end = &theirs] {
      if (duplicate_handle(close_there[0]) || duplicate_handle(close_there[1])) return 1;
      send_text(*end, "ready");
      return at_end(*end) ? 0 : 2;
    });
    theirs.close();
    CHECK(receive_text(ours) == "ready");
    other.close();
    CHECK(at_end(peer));  // not while the child holds a copy
    ours.close();
    CHECK(join(child) == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "forked children are watched and stopped like others") {
    if (skipped()) return;
    auto [ours, theirs] = must(channel_pair());
    const std::array close_there{ours.get()};
    auto child = forked(close_there, [&, end = &theirs] { return at_end(*end) ? 0 : 1; });
    CHECK(outcome(wait_one(child.sentinel(), Deadline::now())) == Condition::timed_out);
    CHECK_FALSE(child.poll().has_value());
    must(child.send(StopSignal::terminate));
    CHECK(join(child) == signalled(-15));
    CHECK(outcome(child.send(StopSignal::kill)) == Condition::gone);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a forked child takes signals although the thread that forked did not") {
    if (skipped()) return;
    auto [ours, theirs] = must(channel_pair());
    const std::array close_there{ours.get()};
    const auto made = std::make_shared<std::promise<ChildProcess>>();
    auto future = made->get_future();
    must(run_in_background([made, close_there, end = &theirs] {
      made->set_value(forked(close_there, [end] { return at_end(*end) ? 0 : 1; }));
    }));
    auto child = future.get();
    must(child.send(StopSignal::terminate));
    CHECK(join(child) == signalled(-15));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a forked child starts children and forks again") {
    if (skipped()) return;
    auto child = forked({}, [] {
      auto launched = must(launch(request_for(exit_with, {"3"})));
      auto again = forked({}, [] { return 4; });
      return join(launched).code * 10 + join(again).code;
    });
    CHECK(join(child) == exited(34));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a hundred forks leak nothing") {
    if (skipped()) return;
    const Holdings before = holdings();
    for (int i = 0; i < 100; ++i) {
      auto child = forked({}, [] { return 5; });
      REQUIRE(join(child) == exited(5));
    }
    CHECK(returns_to(before));
  }
}

}  // namespace multiprocessing::platform::fork_tests
