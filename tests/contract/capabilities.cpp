// What a backend says that it can do, held against what it does.
#include "contract/capabilities.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <utility>

#include "contract/channel.hpp"
#include "contract/fault.hpp"
#include "contract/handle_transfer.hpp"
#include "contract/process.hpp"
#include "contract/throw_trace.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::capabilities_tests {
namespace {

using namespace test_support;

/// The facts that can be seen from outside, in one order.
std::string facts() {
  const auto& can = capabilities();
  std::string text = can.system;
  for (const bool fact :
       {can.fork, can.fork_is_default, can.signals, can.exact_sentinels, can.foreign_sentinels,
        can.kept_wait_sets, can.half_close, can.tells_unread, can.handle_transfer, can.transfer_keeps_handles,
        can.drops_unreceived_handles, can.child_handover, can.ends_children, can.throw_traces,
        can.crash_stacks, can.symbol_names, can.replaced_executable})
    text += fact ? " yes" : " no";
  return text;
}

const ChildFunction tells_facts("tells_facts", [](ChildContext& context) {
  send_text(context.channel, facts());
  return 0;
});

/// Success where the capability is there, not_supported where it is not.
void check_agrees(bool can, const Outcome& result) {
  CHECK(result == (can ? success : Outcome(Condition::not_supported)));
}

}  // namespace

TEST_SUITE("contract.capabilities") {
  TEST_CASE("a system has a name, and its answers do not change") {
    CHECK(std::string(capabilities().system) != "");
    CHECK(&capabilities() == &capabilities());
    if (capabilities().fork_is_default) CHECK(capabilities().fork);
    if (capabilities().child_handover) CHECK(capabilities().fork);
    CHECK(capabilities().throw_traces == throw_traces_supported());
    if (forced("no-kept-handles")) CHECK_FALSE(capabilities().transfer_keeps_handles);
  }

  TEST_CASE_FIXTURE(LeakCheck, "parent and child can do the same") {
    auto child = start(tells_facts);
    CHECK(receive_text(child.channel) == facts());
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "what a backend cannot do is not supported, what it can do works") {
    const auto& can = capabilities();
    auto [left, right] = must(channel_pair());
    check_agrees(can.half_close, outcome(left.finish_writing()));
    check_agrees(can.foreign_sentinels, outcome(open_sentinel(current_identity())));
    const RawHandle raw = left.get();
    check_agrees(can.handle_transfer, outcome(send_handles(right, std::span(&raw, 1), patience())));
    if (can.handle_transfer) must(receive_handles(left, 1, patience()));
    auto forked = fork_process({});
    if (forked && forked->in_child) end_now(0);
    check_agrees(can.fork, outcome(forked));
    if (forked) CHECK(join(forked->child) == exited(0));
  }
}

}  // namespace multiprocessing::platform::capabilities_tests
