// Children that one process forks for another: who they are, how they end, and what becomes of them when the
// process that forked them does.
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/handle_transfer.hpp"
#include "contract/handover.hpp"
#include "contract/process.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::handover_tests {
namespace {

using namespace test_support;

constexpr ExitStatus unknown{ExitStatus::Kind::unknown, 255};

bool skipped() {
  if (capabilities().child_handover) return false;
  skip("no process can fork children for another here");
  return true;
}

/// Runs `work` in a forked child, which ends with its result; 99 if it throws.
template <class Work>
ChildProcess forked(Work work) {
  auto fork = must(fork_process({}));
  if (!fork.in_child) return std::move(fork.child);
  try {
    end_now(work());
  } catch (const std::exception&) {
    end_now(99);
  }
}

int wait_for_ever() {
  const auto never = must(Wakeup::create());
  must(wait_one(never.waitable(), Deadline::never()));
  return 98;
}

/// A process that runs `work` with one end of a channel, and the other end.
struct Lender {
  Channel ours;
  ChildProcess process;

  template <class Work>
  explicit Lender(Work work) {
    auto ends = must(channel_pair());
    process = forked([&] {
      ends.first.close();
      return work(ends.second);
    });
    ours = std::move(ends.first);
  }
  Lender(Lender&&) noexcept = default;
  Lender& operator=(Lender&&) = delete;
  ~Lender() {
    if (process.sentinel() == no_handle) return;
    static_cast<void>(process.send(StopSignal::kill));
    static_cast<void>(join(process));
  }

  ChildProcess take() { return must(take_over_child(std::move(ours), patience())); }
};

/// Forks one child that runs `work` without the channel, and tells of it and of its end.
template <class Work>
Lender lender_of(Work work) {
  return Lender([work](Channel& borrower) {
    auto child = forked([&] {
      borrower.close();
      return work();
    });
    must(hand_over_child(borrower, child, patience()));
    must(tell_end(borrower, join(child), patience()));
    return 0;
  });
}

}  // namespace

TEST_SUITE("contract.handover") {
  TEST_CASE_FIXTURE(LeakCheck, "where no process forks for another, it is not supported") {
    if (capabilities().child_handover) return;
    auto [left, right] = must(channel_pair());
    const ChildProcess none;
    CHECK(outcome(hand_over_child(left, none, patience())) == Condition::not_supported);
    CHECK(outcome(refuse_child(left, Error{}, patience())) == Condition::not_supported);
    CHECK(outcome(tell_end(left, ExitStatus{}, patience())) == Condition::not_supported);
    CHECK(outcome(take_over_child(std::move(right), patience())) == Condition::not_supported);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child of another process is watched, and its exit code is told") {
    if (skipped()) return;
    auto lender = lender_of([] { return 7; });
    auto child = lender.take();
    CHECK(child.pid() > 0);
    CHECK(child.pid() != lender.process.pid());
    CHECK(join(child) == exited(7));
    CHECK(child.poll() == exited(7));
    CHECK(outcome(child.send(StopSignal::kill)) == Condition::gone);
    CHECK(join(lender.process) == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "it runs, is no child that can be reaped here, and is stopped by signals") {
    if (skipped()) return;
    for (const auto signal : {StopSignal::terminate, StopSignal::kill}) {
      auto lender = lender_of(wait_for_ever);
      auto child = lender.take();
      CHECK_FALSE(child.poll());
      CHECK(outcome(wait_one(child.sentinel(), Deadline::now())) == Condition::timed_out);
      must(child.send(signal));
      CHECK(join(child) == signalled(signal == StopSignal::kill ? -9 : -15));
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "one that has ended before anybody took it over has ended") {
    if (skipped()) return;
    auto lender = lender_of([] { return 3; });
    CHECK(join(lender.process) == exited(0));
    auto child = lender.take();
    CHECK(join(child) == exited(3));
  }

  TEST_CASE_FIXTURE(LeakCheck, "many of one process run at once, and one after another") {
    if (skipped()) return;
    std::vector<Lender> lenders;
    std::vector<ChildProcess> children;
    for (int i = 0; i < 20; ++i) {
      lenders.push_back(lender_of([i] { return i; }));
      children.push_back(lenders.back().take());
    }
    for (int i = 0; i < 20; ++i) CHECK(join(children[static_cast<std::size_t>(i)]) == exited(i));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a refusal arrives as the error that it is") {
    if (skipped()) return;
    for (const auto condition : {Condition::out_of_processes, Condition::out_of_memory, Condition::other}) {
      auto [ours, theirs] = must(channel_pair());
      must(refuse_child(theirs, {condition, 11, "somewhere"}, patience()));
      const auto result = take_over_child(std::move(ours), patience());
      CHECK(outcome(result) == condition);
      CHECK(result.error().native == 11);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "silence, nonsense and impatience are errors") {
    if (skipped()) return;
    auto [gone, closed] = must(channel_pair());
    closed.close();
    CHECK(outcome(take_over_child(std::move(gone), patience())) == Condition::broken);

    auto [waiting, silent] = must(channel_pair());
    CHECK(outcome(take_over_child(std::move(waiting), Deadline::now())) == Condition::timed_out);

    auto [cancelled, quiet] = must(channel_pair());
    const auto wakeup = must(Wakeup::create());
    wakeup.notify();
    CHECK(outcome(take_over_child(std::move(cancelled), patience(), &wakeup)) == Condition::cancelled);

    auto [confused, lying] = must(channel_pair());
    must(lying.write_all(pattern(4096, 1), patience()));
    CHECK(outcome(take_over_child(std::move(confused), patience())) == Condition::corrupt);
  }

  TEST_CASE_FIXTURE(LeakCheck, "half an introduction, and half a word, are as good as none") {
    if (skipped()) return;
    auto [ours, theirs] = must(channel_pair());
    must(refuse_child(theirs, {Condition::out_of_memory, 0, ""}, patience()));
    std::vector<std::byte> bytes(1024);
    bytes.resize(must(ours.read_some(bytes)));
    auto [reader, writer] = must(channel_pair());
    must(writer.write_all(std::span(bytes).first(bytes.size() - 1), patience()));
    writer.close();
    CHECK(outcome(take_over_child(std::move(reader), patience())) == Condition::broken);

    Lender lender([](Channel& borrower) {
      auto child = forked([&] {
        borrower.close();
        return 5;
      });
      must(hand_over_child(borrower, child, patience()));
      static_cast<void>(join(child));
      must(borrower.write_all(pattern(3, 2), patience()));
      return 0;
    });
    auto child = lender.take();
    CHECK(join(child) == unknown);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child outlives the process that forked it, and its end is known") {
    if (skipped()) return;
    if (!capabilities().exact_sentinels) return skip("without exact sentinels it counts as ended");
    auto lender = lender_of(wait_for_ever);
    auto child = lender.take();
    must(lender.process.send(StopSignal::kill));
    CHECK(join(lender.process) == signalled(-9));
    CHECK_FALSE(child.poll());
    CHECK(outcome(wait_one(child.sentinel(), Deadline::now())) == Condition::timed_out);
    must(child.send(StopSignal::terminate));
    CHECK(join(child) == unknown);
    CHECK(child.poll() == unknown);
  }

  TEST_CASE_FIXTURE(LeakCheck, "how it ended is told later than that it has; nobody has to wait for that") {
    if (skipped()) return;
    if (!capabilities().exact_sentinels)
      return skip("without exact sentinels the word alone tells of an end");
    Lender lender([](Channel& borrower) {
      auto child = forked([&] {
        borrower.close();
        return 6;
      });
      must(hand_over_child(borrower, child, patience()));
      std::byte asked;
      must(borrower.read_all(std::span(&asked, 1), patience()));
      must(tell_end(borrower, join(child), patience()));
      return 0;
    });
    auto asks = must(Channel::adopt(Handle(must(duplicate_handle(lender.ours.get())))));
    auto child = lender.take();
    must(wait_one(child.sentinel(), patience()));
    CHECK_FALSE(child.poll());
    const auto word = child.expected_word();
    REQUIRE(word);
    CHECK(outcome(wait_one(word->handle, Deadline::now())) == Condition::timed_out);
    CHECK_FALSE(word->deadline.expired());
    CHECK(child.expected_word()->deadline == word->deadline);
    must(asks.write_all(pattern(1, 3), patience()));
    must(wait_one(word->handle, patience()));
    CHECK(child.poll() == exited(6));
    CHECK_FALSE(child.expected_word());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child that nobody is interested in any more goes on") {
    if (skipped()) return;
    auto [told, tells] = must(channel_pair());
    {
      auto lender = lender_of([end = &tells, other = &told] {
        other->close();
        return static_cast<int>(receive_number(*end));
      });
      { const auto dropped = lender.take(); }
      tells.close();
      send_number(told, 4);
      CHECK(join(lender.process).kind == ExitStatus::Kind::exited);  // it may find nobody to tell
    }
    CHECK(at_end(told));
  }

  TEST_CASE_FIXTURE(LeakCheck, "interrupts pass by who holds them, and reach those that he forks") {
    if (skipped()) return;
    auto [ours, theirs] = must(channel_pair());
    auto holder = forked([end = &theirs] {
      hold_interrupts();
      auto child = forked(wait_for_ever);
      must(child.send(StopSignal::interrupt));
      send_number(*end, join(child).code);
      return static_cast<int>(receive_number(*end));
    });
    CHECK(receive_number(ours) == -2);
    must(holder.send(StopSignal::interrupt));
    send_number(ours, 6);
    CHECK(join(holder) == exited(6));
  }
}

}  // namespace multiprocessing::platform::handover_tests
