// Processes that are not mistaken for others, and sentinels of processes that are no children.
#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <utility>

#include "contract/capabilities.hpp"
#include "contract/process.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::process_identity_tests {
namespace {

using namespace test_support;

bool skipped() {
  if (capabilities().foreign_sentinels) return false;
  skip("there are no sentinels of processes that are no children");
  return true;
}

void send_identity(Channel& channel, const ProcessIdentity& identity) {
  send_number(channel, identity.pid);
  send_number(channel, static_cast<std::int64_t>(identity.start_time));
}

ProcessIdentity receive_identity(Channel& channel) {
  const auto pid = static_cast<int>(receive_number(channel));
  return {pid, static_cast<std::uint64_t>(receive_number(channel))};
}

const ChildFunction tells_identity("tells_identity", [](ChildContext& context) {
  send_identity(context.channel, current_identity());
  return at_end(context.channel) ? 0 : 1;
});

/// Has a child of its own, tells who it is, and ends it when its channel ends.
const ChildFunction has_a_child("has_a_child", [](ChildContext& context) {
  auto child = start(echo);
  send_identity(context.channel, must(identify(child.process.pid())));
  static_cast<void>(receive_number(context.channel));
  child.channel.close();
  child.join();
  return at_end(context.channel) ? 0 : 1;
});

/// Opens its parent's sentinel, and that of one who was started before and has ended.
const ChildFunction knows_its_parent("knows_its_parent", [](ChildContext& context) {
  auto parent = must(identify(std::stoi(context.arguments.at(0))));
  must(open_sentinel(parent));
  must(open_sentinel(parent, true));
  --parent.start_time;
  return outcome(open_sentinel(parent)) == Condition::gone ? 0 : 1;
});

}  // namespace

TEST_SUITE("contract.process_identity") {
  TEST_CASE_FIXTURE(LeakCheck, "this process knows itself") {
    CHECK(current_pid() > 0);
    CHECK(current_identity().pid == current_pid());
    CHECK(current_identity() == current_identity());
    CHECK(must(identify(current_pid())) == current_identity());
    CHECK(is_alive(current_identity()));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child is the same to itself and to others, until it ends") {
    auto child = start(tells_identity);
    const auto told = receive_identity(child.channel);
    CHECK(told.pid == child.process.pid());
    CHECK(must(identify(child.process.pid())) == told);
    CHECK(is_alive(told));
    child.channel.close();
    must(wait_one(child.process.sentinel(), patience()));
    CHECK_FALSE(is_alive(told));  // although nobody has asked yet how it ended
    CHECK(child.join() == exited(0));
    CHECK_FALSE(is_alive(told));
  }

  TEST_CASE_FIXTURE(LeakCheck, "another process with the same pid is not alive") {
    auto identity = current_identity();
    if (identity.start_time == 0) return;
    ++identity.start_time;
    CHECK_FALSE(is_alive(identity));
    if (skipped()) return;
    CHECK(outcome(open_sentinel(identity)) == Condition::gone);
  }

  TEST_CASE_FIXTURE(LeakCheck, "pids that nobody has are gone") {
    for (const int pid : {-1, std::numeric_limits<int>::max() - 7}) {
      CHECK(outcome(identify(pid)) == Condition::gone);
      CHECK_FALSE(is_alive({pid, 1}));
      CHECK_FALSE(is_alive({pid, 0}));
    }
    if (skipped()) return;
    CHECK(outcome(open_sentinel({std::numeric_limits<int>::max() - 7, 1})) == Condition::gone);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a sentinel of a child that is opened by its identity") {
    if (skipped()) return;
    auto child = start(tells_identity);
    const auto told = receive_identity(child.channel);
    const auto sentinel = must(open_sentinel(told));
    CHECK(sentinel.get() != child.process.sentinel());
    CHECK(outcome(wait_one(sentinel.get(), Deadline::now())) == Condition::timed_out);
    child.channel.close();
    CHECK(outcome(wait_one(sentinel.get(), patience())) == success);
    CHECK(child.join() == exited(0));
    CHECK(outcome(wait_one(sentinel.get(), Deadline::now())) == success);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a process that has ended has no sentinel any more") {
    if (skipped()) return;
    ProcessIdentity told;
    {
      auto child = start(tells_identity);
      told = receive_identity(child.channel);
      child.channel.close();
      CHECK(child.join() == exited(0));
      CHECK(outcome(open_sentinel(told)) == Condition::gone);
    }
    CHECK(outcome(open_sentinel(told)) == Condition::gone);
    CHECK_FALSE(is_alive(told));
  }

  TEST_CASE_FIXTURE(LeakCheck, "the sentinel of a grandchild") {
    if (skipped()) return;
    auto child = start(has_a_child);
    const auto grandchild = receive_identity(child.channel);
    CHECK(is_alive(grandchild));
    const auto sentinel = must(open_sentinel(grandchild));
    CHECK(outcome(wait_one(sentinel.get(), Deadline::now())) == Condition::timed_out);
    send_number(child.channel, 0);
    CHECK(outcome(wait_one(sentinel.get(), patience())) == success);
    CHECK_FALSE(is_alive(grandchild));
    child.channel.close();
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "an earlier process that had the parent's pid is gone") {
    if (!capabilities().foreign_sentinels)
      return skip("there are no sentinels of processes that are no children");
    CHECK(start(knows_its_parent, {std::to_string(current_pid())}).join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "this process has a sentinel that is not ready") {
    if (skipped()) return;
    const auto sentinel = must(open_sentinel(current_identity()));
    CHECK(outcome(wait_one(sentinel.get(), Deadline::now())) == Condition::timed_out);
  }
}

}  // namespace multiprocessing::platform::process_identity_tests
