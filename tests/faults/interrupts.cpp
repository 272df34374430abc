// interrupt() where the system cannot signal a child (Windows, without a console that both share): the
// child's stop token is set in its place. The refusal is injected, so that it comes on every system.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include "contract/fault.hpp"
#include "test_support/clean_plan.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace faults_interrupts {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;

constexpr int told_to_stop = 7;

/// Waits for the stop token; for nothing else but the parent's end, which would be a hang of this test.
void wait_for_stop() {
  try {
    mp::connection::wait({mp::parent_process()->sentinel()}, mp::infinite, mp::stop_token());
  } catch (const mp::CancelledError&) {
    mp::exit(mp::stop_token().stop_requested() ? told_to_stop : 1);
  }
}

TEST_SUITE("faults.interrupts") {
  TEST_CASE_FIXTURE(mp::test_support::LeakCheck,
                    "a child that cannot be signalled is asked by its stop token") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      const mp::test_support::CleanPlan plan;
      auto p = context.Process(wait_for_stop);
      p.start();
      platform::fault_plan::fail(platform::Call::child_send, 1, platform::Condition::not_supported);
      p.interrupt();
      CHECK(platform::fault_plan::injected() == 1);
      p.join();
      CHECK(p.exitcode() == told_to_stop);
    });
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck,
                    "what else refuses an interrupt, or refuses something else, is an error") {
    const mp::test_support::CleanPlan plan;
    mp::Process p(wait_for_stop);
    p.start();
    platform::fault_plan::fail(platform::Call::child_send, 1, platform::Condition::permission_denied);
    CHECK_THROWS_AS(p.interrupt(), mp::OSError);
    platform::fault_plan::fail(platform::Call::child_send, 1, platform::Condition::not_supported);
    CHECK_THROWS_AS(p.terminate(), mp::OSError);
    CHECK(p.is_alive());
    p.stop(mp::infinite);
    CHECK(p.exitcode() == told_to_stop);
  }
}

}  // namespace faults_interrupts
