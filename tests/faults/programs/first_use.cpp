// ctest: timeout=300
// What a program makes once and keeps — its key, its event loop — cannot be made at first: the failure is
// reported, nothing is left of it, and the next attempt succeeds. A program of its own, because in a test
// binary both were made long before.
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdio>
#include <string>

#include "contract/fault.hpp"
#include "test_support/figures.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;
using namespace std::chrono_literals;

namespace {

int add(int a, int b) { return a + b; }

/// Whether `attempt` throws OSError when its first call of this kind fails.
template <class Attempt>
bool failure_is_reported(platform::Call call, platform::Condition condition, Attempt& attempt) {
  platform::fault_plan::clear();
  platform::fault_plan::fail(call, 1, condition);
  bool reported = false;
  try {
    attempt();
  } catch (const mp::OSError&) {
    reported = platform::fault_plan::injected() == 1;
  }
  platform::fault_plan::clear();
  return reported;
}

/// The same for each condition of the call; and that nothing is left then.
template <class Attempt>
bool each_failure_is_reported(platform::Call call, Attempt attempt) {
  bool good = true;
  const auto& row = platform::fault_row(call);
  for (const auto condition : row.distinct()) {
    // Once uncounted, for what the system itself makes on first use and keeps.
    const bool first = failure_is_reported(call, condition, attempt);
    const auto before = mp::test_support::holdings();
    const bool second = failure_is_reported(call, condition, attempt);
    const bool clean = mp::test_support::returns_to(before) && mp::active_children().empty();
    std::printf("%s as %s: %s, %s\n", row.name, platform::name_of(condition),
                first && second ? "reported" : "NOT REPORTED",
                clean ? "nothing is left" : "SOMETHING IS LEFT");
    good = good && first && second && clean;
  }
  return good;
}

bool key_is_drawn_again() {
  mp::Process p(add, 1, 2);
  const bool reported = each_failure_is_reported(platform::Call::random_bytes, [&] { p.start(); });
  p.start();
  p.join();
  return reported && p.exitcode() == 0;
}

bool loop_is_made_again() {
  const mp::TimeLimit limit(60s);
  const bool by_call =
      each_failure_is_reported(platform::Call::event_loop_create, [] { mp::call_async(add, 1, 2); });
  const bool by_limit =
      each_failure_is_reported(platform::Call::event_loop_create, [&] { static_cast<void>(limit.token()); });
  return by_call && by_limit && mp::call_async(add, 1, 2).result() == 3 && !limit.token().stop_requested();
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  figures::use_launcher(argv[0]);
  const bool key = key_is_drawn_again();
  const bool loop = loop_is_made_again();
  return mp::test_support::verdict(key && loop ? 0 : 1);
}
