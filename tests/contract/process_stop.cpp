// Stopping children, and what their exit status then says.
#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
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

namespace multiprocessing::platform::process_stop_tests {
namespace {

using namespace test_support;

bool skipped() {
  if (capabilities().signals) return false;
  skip("processes have no signals here");
  return true;
}

int say_ready_and_wait(ChildContext& context) {
  send_text(context.channel, "ready");
  while (!at_end(context.channel)) {
  }
  return 0;
}

const ChildFunction says_ready("says_ready", say_ready_and_wait);

const Wakeup* asked_to_stop = nullptr;

/// Catches terminate, and ends with a code of its own.
const ChildFunction catches_terminate("catches_terminate", [](ChildContext& context) {
  const Wakeup wakeup = must(Wakeup::create());
  asked_to_stop = &wakeup;
  std::signal(SIGTERM, [](int) { asked_to_stop->notify(); });
  send_text(context.channel, "ready");
  must(wait_one(wakeup.waitable(), patience()));
  return 42;
});

/// Catches and ignores signals, and starts says_ready, whose pid it tells: what it inherits is none of that.
const ChildFunction starts_with_handlers("starts_with_handlers", [](ChildContext& context) {
  std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGABRT, [](int) {});
  auto child = start(says_ready);
  if (receive_text(child.channel) != "ready") return 1;
  must(child.process.send(StopSignal::interrupt));
  send_text(child.channel, "are you there?");
  if (child.process.poll()) return 2;
  must(child.process.send(StopSignal::terminate));
  if (child.join() != signalled(-SIGTERM)) return 3;
  send_text(context.channel, "done");
  return 0;
});

const ChildFunction raises("raises", [](ChildContext& context) {
  std::raise(std::stoi(context.arguments.at(0)));
  return 1;
});

const ChildFunction aborts("aborts", [](ChildContext&) -> int { std::abort(); });

Child ready_child(const ChildFunction& function) {
  auto child = start(function);
  CHECK(receive_text(child.channel) == "ready");
  return child;
}

}  // namespace

TEST_SUITE("contract.process_stop") {
  TEST_CASE_FIXTURE(LeakCheck, "a child that is terminated or killed says so in its exit status") {
    auto first = ready_child(says_ready);
    auto second = ready_child(says_ready);
    must(first.process.send(StopSignal::terminate));
    must(second.process.send(StopSignal::kill));
    CHECK(first.join() == signalled(-15));
    CHECK(second.join() == signalled(-9));
  }

  TEST_CASE_FIXTURE(LeakCheck, "interrupting ends a child, or is not supported") {
    auto child = ready_child(says_ready);
    const auto sent = outcome(child.process.send(StopSignal::interrupt));
    if (capabilities().signals) {
      CHECK(sent == success);
      CHECK(child.join() == signalled(-SIGINT));
    } else if (sent == success) {
      CHECK(child.join().code != 0);
    } else {
      CHECK(sent == Condition::not_supported);
      CHECK_FALSE(child.process.poll().has_value());
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a process that has ended cannot be stopped: it is gone") {
    auto polled = start(exit_with, {"5"});
    CHECK(polled.join() == exited(5));
    auto unseen = start(exit_with, {"6"});
    must(wait_one(unseen.process.sentinel(), patience()));
    const auto is_gone = [](Child& child, StopSignal signal) {
      return outcome(child.process.send(signal)) == Condition::gone;
    };
    for (const auto signal : {StopSignal::interrupt, StopSignal::terminate, StopSignal::kill}) {
      CHECK(is_gone(polled, signal));
      CHECK(is_gone(unseen, signal));
    }
    CHECK(polled.process.poll() == exited(5));
    CHECK(unseen.join() == exited(6));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child may be asked more than once") {
    auto child = ready_child(says_ready);
    must(child.process.send(StopSignal::kill));
    const auto again = outcome(child.process.send(StopSignal::kill));
    if (again != success) CHECK(again == Condition::gone);
    CHECK(child.join() == signalled(-9));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child may catch terminate") {
    if (skipped()) return;
    auto child = ready_child(catches_terminate);
    must(child.process.send(StopSignal::terminate));
    CHECK(child.join() == exited(42));
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "a child begins with default handlers; only an ignored interrupt stays ignored") {
    if (skipped()) return;
    auto child = start(starts_with_handlers);
    CHECK(receive_text(child.channel) == "done");
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "the signal that ended a child is its exit code") {
    if (skipped()) return;
    for (const int signal : {SIGINT, SIGTERM, SIGFPE}) {
      CAPTURE(signal);
      auto child = start(raises, {std::to_string(signal)});
      CHECK(child.join() == signalled(-signal));
    }
    auto aborted = start(aborts);
    const auto status = aborted.join();
    CHECK(status == signalled(-SIGABRT));
    CHECK(signal_name(status) == "SIGABRT");
    CHECK(describe(status) == "signal " + std::to_string(SIGABRT) + " (SIGABRT)");
    CHECK(signal_name(signalled(-SIGSEGV)) == "SIGSEGV");
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child that aborts does not end well anywhere") {
    auto child = start(aborts);
    const auto status = child.join();
    CHECK(status.code != 0);
    CHECK(status.kind != ExitStatus::Kind::unknown);
  }
}

}  // namespace multiprocessing::platform::process_stop_tests
