// Handles that travel through a channel, within one process and between two.
#include "contract/handle_transfer.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::handle_transfer_tests {
namespace {

using namespace test_support;
using namespace std::chrono_literals;

bool skipped() {
  if (capabilities().handle_transfer) return false;
  skip("handles cannot be transferred here");
  return true;
}

Channel receive_channel(Channel& from) {
  auto handles = must(receive_handles(from, 1, patience()));
  if (handles.size() != 1) throw std::runtime_error("not one handle came");
  return must(Channel::adopt(std::move(handles.front())));
}

void send_channel(Channel& to, const Channel& what) {
  const RawHandle raw = what.get();
  must(send_handles(to, std::span(&raw, 1), patience()));
}

void check_connected(Channel& left, Channel& right) {
  send_text(left, "ping");
  CHECK(receive_text(right) == "ping");
  send_text(right, "pong");
  CHECK(receive_text(left) == "pong");
}

/// Receives a channel and answers on it.
const ChildFunction answers_on_received("answers_on_received", [](ChildContext& context) {
  auto received = receive_channel(context.channel);
  send_text(received, "child got " + receive_text(received));
  return at_end(received) ? 0 : 1;
});

/// Takes a channel from its parent, answers on it, and waits to be killed.
const ChildFunction takes_what_is_given("takes_what_is_given", [](ChildContext& context) {
  auto handles = must(take_handles(context.channel, 1, patience()));
  auto taken = must(Channel::adopt(std::move(handles.front())));
  send_text(taken, "child got " + receive_text(taken));
  return at_end(context.channel) ? 0 : 1;
});

/// Waits to be killed, and reads nothing.
const ChildFunction takes_nothing("takes_nothing", [](ChildContext&) {
  const auto wakeup = must(Wakeup::create());
  static_cast<void>(wait_one(wakeup.waitable(), patience()));
  return 1;
});

/// Makes a pair, sends one end away and answers on the other.
const ChildFunction sends_one_end("sends_one_end", [](ChildContext& context) {
  auto [mine, yours] = must(channel_pair());
  send_channel(context.channel, yours);
  yours.close();
  send_text(mine, "child got " + receive_text(mine));
  return at_end(mine) ? 0 : 1;
});

/// Sends both ends of a pair in two messages, and lives until the test lets it go.
const ChildFunction sends_both_ends("sends_both_ends", [](ChildContext& context) {
  auto [first, second] = must(channel_pair());
  send_channel(context.channel, first);
  send_channel(context.channel, second);
  first.close();
  second.close();
  static_cast<void>(at_end(context.channel));
  return 0;
});

}  // namespace

TEST_SUITE("contract.handle_transfer") {
  TEST_CASE_FIXTURE(LeakCheck, "where handles cannot travel, both sides say so") {
    if (capabilities().handle_transfer) return;
    auto [left, right] = must(channel_pair());
    const RawHandle raw = left.get();
    CHECK(outcome(send_handles(left, std::span(&raw, 1), patience())) == Condition::not_supported);
    CHECK(outcome(receive_handles(right, 1, patience())) == Condition::not_supported);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a handle travels in both directions") {
    if (skipped()) return;
    auto [left, right] = must(channel_pair());
    auto [near, far] = must(channel_pair());
    send_channel(left, far);
    far.close();  // the receiver's is a duplicate
    auto moved = receive_channel(right);
    check_connected(near, moved);
    send_channel(right, moved);
    moved.close();
    auto back = receive_channel(left);
    check_connected(near, back);
    back.close();
    CHECK(at_end(near));
  }

  TEST_CASE_FIXTURE(LeakCheck, "the sender keeps what he sent") {
    if (skipped()) return;
    auto [left, right] = must(channel_pair());
    auto [near, far] = must(channel_pair());
    send_channel(left, far);
    auto copy = receive_channel(right);
    CHECK(copy.get() != far.get());
    check_connected(near, far);
    copy.close();
    check_connected(near, far);
  }

  TEST_CASE_FIXTURE(LeakCheck, "as many handles as are allowed travel at once, in order") {
    if (skipped()) return;
    auto [left, right] = must(channel_pair());
    std::vector<Wakeup> wakeups;
    std::vector<RawHandle> handles;
    for (std::size_t i = 0; i < handles_per_transfer; ++i)
      handles.push_back(wakeups.emplace_back(must(Wakeup::create())).waitable());
    must(send_handles(left, handles, patience()));
    const auto received = must(receive_handles(right, handles.size(), patience()));
    REQUIRE(received.size() == handles.size());
    wakeups[0].notify();
    wakeups[63].notify();
    CHECK(outcome(wait_one(received[0].get(), patience())) == success);
    CHECK(outcome(wait_one(received[1].get(), Deadline::now())) == Condition::timed_out);
    CHECK(outcome(wait_one(received[63].get(), patience())) == success);
  }

  TEST_CASE_FIXTURE(LeakCheck, "nothing, too many and closed handles are the caller's mistake") {
    if (skipped()) return;
    auto [left, right] = must(channel_pair());
    CHECK(outcome(send_handles(left, {}, patience())) == Condition::invalid_argument);
    CHECK(outcome(receive_handles(right, 0, Deadline::now())) == Condition::invalid_argument);
    CHECK(outcome(receive_handles(right, handles_per_transfer + 1, Deadline::now())) ==
          Condition::invalid_argument);
    const std::vector<RawHandle> many(handles_per_transfer + 1, left.get());
    CHECK(outcome(send_handles(left, many, patience())) == Condition::invalid_argument);
    RawHandle closed = no_handle;
    CHECK(outcome(send_handles(left, std::span(&closed, 1), patience())) == Condition::invalid_argument);
    {
      const Wakeup wakeup = must(Wakeup::create());
      closed = wakeup.waitable();
    }
    const std::vector mixed{right.get(), closed};
    CHECK(outcome(send_handles(left, mixed, patience())) == Condition::invalid_argument);
    check_connected(left, right);  // and nothing was sent
  }

  TEST_CASE_FIXTURE(LeakCheck, "handles stand between bytes at the place where they were sent") {
    if (skipped()) return;
    auto [left, right] = must(channel_pair());
    auto [near, far] = must(channel_pair());
    for (int i = 0; i < 3; ++i) {
      send_text(left, "before");
      send_channel(left, far);
      send_text(left, "after");
    }
    for (int i = 0; i < 3; ++i) {
      CHECK(receive_text(right) == "before");
      auto moved = receive_channel(right);
      CHECK(receive_text(right) == "after");
      check_connected(near, moved);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "bytes in the place of handles are corrupt") {
    if (skipped()) return;
    auto [left, right] = must(channel_pair());
    must(left.write_all(pattern(4096, 5), patience()));
    CHECK(outcome(receive_handles(right, 1, patience())) == Condition::corrupt);
  }

  TEST_CASE_FIXTURE(LeakCheck, "another number of handles than expected is corrupt, and leaks none") {
    if (skipped()) return;
    auto [left, right] = must(channel_pair());
    const std::vector two{left.get(), right.get()};
    must(send_handles(left, two, patience()));
    CHECK(outcome(receive_handles(right, 1, patience())) == Condition::corrupt);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a wakeup ends the wait for handles, and they can be waited for again") {
    if (skipped()) return;
    auto [left, right] = must(channel_pair());
    const Wakeup wakeup = must(Wakeup::create());
    auto waiting = std::async(std::launch::async, [&, &from = right] {
      return outcome(receive_handles(from, 1, Deadline::never(), &wakeup));
    });
    wakeup.notify();
    CHECK(waiting.get() == Condition::cancelled);
    auto [near, far] = must(channel_pair());
    send_channel(left, far);
    auto moved = receive_channel(right);
    check_connected(near, moved);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child takes what it is given, and what it never takes closes with it") {
    if (skipped()) return;
    for (const bool taken : {true, false}) {
      auto child = start(taken ? takes_what_is_given : takes_nothing);
      auto [near, far] = must(channel_pair());
      const RawHandle raw = far.get();
      must(give_handles(child.channel, child.process.sentinel(), std::span(&raw, 1), patience()));
      far.close();
      if (taken) {
        send_text(near, "it");
        CHECK(receive_text(near) == "child got it");
      }
      must(child.process.send(StopSignal::kill));
      child.join();
      child.channel.close();
      CHECK(at_end(near));
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "nothing is given to a child that has ended") {
    if (skipped()) return;
    auto child = start(takes_nothing);
    must(child.process.send(StopSignal::kill));
    child.join();
    auto [near, far] = must(channel_pair());
    const RawHandle raw = far.get();
    CHECK(outcome(give_handles(child.channel, child.process.sentinel(), std::span(&raw, 1), patience())) ==
          Condition::broken);
    far.close();
    CHECK(at_end(near));
  }

  TEST_CASE_FIXTURE(LeakCheck, "waiting for handles ends at the deadline, or with the stream") {
    if (skipped()) return;
    auto [left, right] = must(channel_pair());
    const auto deadline = Deadline::after(10ms);
    CHECK(outcome(receive_handles(right, 1, deadline)) == Condition::timed_out);
    CHECK(deadline.expired());
    left.close();
    CHECK(outcome(receive_handles(right, 1, patience())) == Condition::broken);
    const RawHandle raw = right.get();
    CHECK(outcome(send_handles(right, std::span(&raw, 1), patience())) == Condition::broken);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a handle travels to a child") {
    if (skipped()) return;
    auto child = start(answers_on_received);
    auto [near, far] = must(channel_pair());
    send_channel(child.channel, far);
    send_text(near, "it");
    far.close();
    CHECK(receive_text(near) == "child got it");
    near.close();
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a handle travels from a child") {
    if (skipped()) return;
    auto child = start(sends_one_end);
    auto received = receive_channel(child.channel);
    send_text(received, "it");
    CHECK(receive_text(received) == "child got it");
    received.close();
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a handle that nobody received is closed with its sender and its channel") {
    if (skipped()) return;
    auto child = start(sends_both_ends);
    auto first = receive_channel(child.channel);
    must(child.process.send(StopSignal::kill));
    child.join();
    child.channel.close();
    CHECK(at_end(first));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a received handle reaches no child") {
    if (skipped()) return;
    auto [left, right] = must(channel_pair());
    auto [near, far] = must(channel_pair());
    send_channel(left, far);
    far.close();
    auto received = must(receive_handles(right, 1, patience()));
    auto bystander = start(echo);
    received.clear();
    CHECK(at_end(near));
    send_text(bystander.channel, "lives");
    CHECK(receive_text(bystander.channel) == "lives");
  }
}

}  // namespace multiprocessing::platform::handle_transfer_tests
