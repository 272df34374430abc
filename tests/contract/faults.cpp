// Every call of the fault table fails exactly as planned, with each condition that it documents, and
// leaks nothing.
#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/channel.hpp"
#include "contract/crash.hpp"
#include "contract/crypto.hpp"
#include "contract/event_loop.hpp"
#include "contract/fault.hpp"
#include "contract/handle_transfer.hpp"
#include "contract/image.hpp"
#include "contract/listener.hpp"
#include "contract/process.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/clean_plan.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::fault_tests {
namespace {

using namespace test_support;

struct Pair {
  std::pair<Channel, Channel> ends = must(channel_pair());
  Channel& left = ends.first;
  Channel& right = ends.second;
  RawHandle raw = left.get();
};

// One way to make each call: first everything that it needs, then `ready()`, then the call itself, once.
using Ready = const std::function<void()>&;

Outcome make_duplicate_handle(Ready ready) {
  const Wakeup wakeup = must(Wakeup::create());
  ready();
  const auto copy = duplicate_handle(wakeup.waitable());
  if (copy) close_handle(*copy);
  return outcome(copy);
}

Outcome make_wait_one(Ready ready) {
  const Wakeup wakeup = must(Wakeup::create());
  wakeup.notify();
  ready();
  return outcome(wait_one(wakeup.waitable(), patience()));
}

Outcome make_wait_either(Ready ready) {
  const Wakeup wakeup = must(Wakeup::create());
  wakeup.notify();
  ready();
  return outcome(wait_either(wakeup.waitable(), wakeup.waitable(), patience()));
}

Outcome make_wait_any(Ready ready) {
  const Wakeup wakeup = must(Wakeup::create());
  wakeup.notify();
  const std::vector<RawHandle> handles(70, wakeup.waitable());
  ready();
  return outcome(wait_any(handles, patience()));
}

Outcome make_wait_set_add(Ready ready) {
  const Wakeup wakeup = must(Wakeup::create());
  auto set = must(WaitSet::create());
  ready();
  const auto result = outcome(set.add(wakeup.waitable(), 1));
  CHECK(set.size() == (result == success ? 1 : 0));
  return result;
}

Outcome make_channel_adopt(Ready ready) {
  const Pair pair;
  Handle copy(must(duplicate_handle(pair.raw)));
  ready();
  return outcome(Channel::adopt(std::move(copy)));
}

Outcome make_channel_read(Ready ready) {
  Pair pair;
  must(pair.left.write_all(pattern(1, 1), patience()));
  std::byte byte{};
  must(wait_one(pair.right.readable(), patience()));
  ready();
  return outcome(pair.right.read_some(std::span(&byte, 1)));
}

Outcome make_channel_write(Ready ready) {
  Pair pair;
  ready();
  return outcome(pair.left.write_all(pattern(1, 1), patience()));
}

Outcome make_send_handles(Ready ready) {
  Pair pair;
  ready();
  const auto result = outcome(send_handles(pair.left, std::span(&pair.raw, 1), patience()));
  if (result == success) must(receive_handles(pair.right, 1, patience()));
  return result;
}

Outcome make_receive_handles(Ready ready) {
  Pair pair;
  must(send_handles(pair.left, std::span(&pair.raw, 1), patience()));
  ready();
  return outcome(receive_handles(pair.right, 1, patience()));
}

Outcome make_launch(Ready ready) {
  const auto request = request_for(exit_with, {"0"});
  ready();
  auto child = launch(request);
  if (child) CHECK(join(*child) == exited(0));
  return outcome(child);
}

Outcome make_fork_process(Ready ready) {
  ready();
  auto fork = fork_process({});
  if (!fork) return outcome(fork);
  if (fork->in_child) end_now(0);
  CHECK(join(fork->child) == exited(0));
  return success;
}

Outcome make_open_sentinel(Ready ready) {
  const auto self = current_identity();
  ready();
  return outcome(open_sentinel(self));
}

Outcome make_bind_standard_streams(Ready ready) {
  ready();
  return outcome(bind_standard_streams({}));
}

Outcome make_change_working_directory(Ready ready) {
  const auto path = std::filesystem::current_path().u8string();
  ready();
  return outcome(change_working_directory({path.begin(), path.end()}));
}

Outcome make_event_loop_watch(Ready ready) {
  const Wakeup wakeup = must(Wakeup::create());
  const auto loop = must(EventLoop::create());
  ready();
  return outcome(loop->watch(wakeup.waitable(), [] { return false; }));
}

Outcome make_event_loop_at(Ready ready) {
  const auto loop = must(EventLoop::create());
  ready();
  return outcome(loop->at(Deadline::never(), [] {}));
}

Outcome make_random_bytes(Ready ready) {
  std::array<std::byte, 8> bytes;
  ready();
  return outcome(random_bytes(bytes));
}

Outcome make_run_in_background(Ready ready) {
  const auto ran = std::make_shared<std::promise<void>>();
  auto done = ran->get_future();
  ready();
  const auto result = outcome(run_in_background([ran] { ran->set_value(); }));
  if (result == success) done.get();
  return result;
}

Outcome make_arm_crash_report(Ready ready) {
  const Pair pair;
  ready();
  const auto result = outcome(arm_crash_reports(pair.raw, {}));
  if (result == success) disarm_crash_reports();
  return result;
}

Outcome make_load_image(Ready ready) {
  ready();
  return outcome(load_image("no/such/library"));  // nothing can be loaded everywhere
}

Outcome make_child_send(Ready ready) {
  auto child = start(echo);
  ready();
  return outcome(child.process.send(StopSignal::kill));
}

Outcome make_wait_set_wait(Ready ready) {
  const Wakeup wakeup = must(Wakeup::create());
  wakeup.notify();
  auto set = must(WaitSet::create());
  must(set.add(wakeup.waitable(), 7));
  std::vector<std::size_t> keys{1};
  ready();
  const auto result = outcome(set.wait(keys, patience()));
  CHECK(keys == (result == success ? std::vector<std::size_t>{7} : std::vector<std::size_t>{}));
  return result;
}

Outcome make_finish_writing(Ready ready) {
  Pair pair;
  ready();
  return outcome(pair.left.finish_writing());
}

Outcome make_listen(Ready ready) {
  const auto endpoint = must(unused_endpoint(usual_endpoint_kind()));
  ready();
  return outcome(Listener::listen(endpoint, 1));
}

Outcome make_accept(Ready ready) {
  auto listener = must(Listener::listen(must(unused_endpoint(usual_endpoint_kind())), 1));
  const auto client = must(connect_to(listener.address(), patience()));
  ready();
  return outcome(listener.accept(patience()));
}

Outcome make_connect(Ready ready) {
  const auto listener = must(Listener::listen(must(unused_endpoint(usual_endpoint_kind())), 1));
  ready();
  return outcome(connect_to(listener.address(), patience()));
}

int somewhere = 0;

Outcome make_resolve(Ready ready) {
  const auto location = must(locate(&somewhere));
  ready();
  return outcome(resolve(location));
}

std::vector<std::string> own_environment() {
  std::vector<std::string> entries;
  for (const char* name :
       {"PATH", "HOME", "SystemRoot", "MULTIPROCESSING_FORCE", "MULTIPROCESSING_TEST_SLOW"})
    if (const auto value = environment_variable(name)) entries.push_back(std::string(name) + "=" + *value);
  return entries;
}

/// In a process of its own, because it loses its environment.
const ChildFunction replaces_environment("replaces_environment", [](ChildContext&) {
  const auto before = own_environment();
  fault_plan::fail(Call::replace_environment, 1, Condition::out_of_memory);
  if (outcome(replace_environment({"ONLY=this"})) != Condition::out_of_memory) return 1;
  if (own_environment() != before || environment_variable("ONLY")) return 2;
  if (outcome(replace_environment(before)) != success) return 3;
  return own_environment() == before && fault_plan::injected() == 1 ? 0 : 4;
});

/// For calls that need nothing made before.
template <class Function>
auto plain(Function function) {
  return [function](Ready ready) {
    ready();
    return outcome(function());
  };
}

/// Makes the call once, after `ready` was called.
std::function<Outcome(Ready)> maker_of(Call call) {
  switch (call) {
    case Call::duplicate_handle:
      return make_duplicate_handle;
    case Call::wait_one:
      return make_wait_one;
    case Call::wait_either:
      return make_wait_either;
    case Call::wait_any:
      return make_wait_any;
    case Call::wakeup_create:
      return plain([] { return Wakeup::create(); });
    case Call::wait_set_create:
      return plain([] { return WaitSet::create(); });
    case Call::wait_set_add:
      return make_wait_set_add;
    case Call::channel_pair:
      return plain([] { return channel_pair(); });
    case Call::channel_adopt:
      return make_channel_adopt;
    case Call::channel_read:
      return make_channel_read;
    case Call::channel_write:
      return make_channel_write;
    case Call::stream_pipe:
      return plain([] { return stream_pipe(Direction::child_writes); });
    case Call::send_handles:
      return make_send_handles;
    case Call::receive_handles:
      return make_receive_handles;
    case Call::launch:
      return make_launch;
    case Call::fork_process:
      return make_fork_process;
    case Call::open_sentinel:
      return make_open_sentinel;
    case Call::bind_standard_streams:
      return make_bind_standard_streams;
    case Call::change_working_directory:
      return make_change_working_directory;
    case Call::event_loop_create:
      return plain([] { return EventLoop::create(); });
    case Call::event_loop_watch:
      return make_event_loop_watch;
    case Call::event_loop_at:
      return make_event_loop_at;
    case Call::executable_path:
      return plain([] { return executable_path(); });
    case Call::random_bytes:
      return make_random_bytes;
    case Call::run_in_background:
      return make_run_in_background;
    case Call::arm_crash_report:
      return make_arm_crash_report;
    case Call::load_image:
      return make_load_image;
    case Call::child_send:
      return make_child_send;
    case Call::wait_set_wait:
      return make_wait_set_wait;
    case Call::channel_finish_writing:
      return make_finish_writing;
    case Call::identify:
      return plain([] { return identify(current_pid()); });
    case Call::replace_environment:
    case Call::end_with_peer:
      break;  // by a child
    case Call::change_priority:
      return plain([] { return change_priority(PriorityClass::normal); });
    case Call::limit_memory:
      return plain([] { return limit_memory(std::uint64_t{1} << 62); });
    case Call::locate:
      return plain([] { return locate(&somewhere); });
    case Call::resolve:
      return make_resolve;
    case Call::command_line:
      return plain([] { return command_line(); });
    case Call::listener_listen:
      return make_listen;
    case Call::listener_accept:
      return make_accept;
    case Call::connect:
      return make_connect;
  }
  return {};
}

/// Calls that this system cannot make at all, and what an honest one then answers.
Outcome without_fault(Call call) {
  const auto& can = capabilities();
  const bool missing = (call == Call::fork_process && !can.fork) ||
                       (call == Call::open_sentinel && !can.foreign_sentinels) ||
                       (call == Call::send_handles && !can.handle_transfer) ||
                       (call == Call::channel_finish_writing && !can.half_close);
  if (missing) return Condition::not_supported;
  if (call == Call::load_image) return Condition::not_found;
  return success;
}

bool can_be_made(Call call) {
  if (call == Call::replace_environment) return false;                  // see the test case below
  if (call == Call::end_with_peer) return false;                        // once in a process: process_self
  if (call == Call::bind_standard_streams) return capabilities().fork;  // only forked children need it
  if (call == Call::receive_handles) return capabilities().handle_transfer;
  return true;
}

}  // namespace

TEST_SUITE("contract.faults") {
  TEST_CASE_FIXTURE(LeakCheck, "every call fails as planned, leaks nothing, and works again") {
    const CleanPlan clean;
    const Holdings before = holdings();
    for (const FaultRow& row : fault_table) {
      CAPTURE(std::string(row.name));
      if (!can_be_made(row.call)) continue;
      const auto make = maker_of(row.call);
      REQUIRE(make);
      CHECK(make([] {}) == without_fault(row.call));
      for (const Condition condition : row.distinct()) {
        CAPTURE(condition);
        if (row.call == Call::send_handles && !capabilities().handle_transfer) continue;
        fault_plan::clear();
        CHECK(make([&] { fault_plan::fail(row.call, 1, condition); }) == condition);
        CHECK(fault_plan::injected() == 1);
        fault_plan::clear();
        CHECK(make([] {}) == without_fault(row.call));
        CHECK(returns_to(before));
      }
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "an environment that could not be replaced stays as it was") {
    auto child = start(replaces_environment);
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a lack of handles leaves the stream in step") {
    if (!capabilities().handle_transfer) return;
    const CleanPlan clean;
    Pair pair;
    const Holdings before = holdings();
    must(send_handles(pair.left, std::span(&pair.raw, 1), patience()));
    must(pair.left.write_all(pattern(5, 1), patience()));
    fault_plan::fail(Call::receive_handles, 1, Condition::out_of_handles);
    CHECK(outcome(receive_handles(pair.right, 1, patience())) == Condition::out_of_handles);
    std::vector<std::byte> bytes(5);
    must(pair.right.read_all(bytes, patience()));
    CHECK((bytes == pattern(5, 1)));
    CHECK(returns_to(before));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a call that is interrupted goes on") {
    const CleanPlan clean;
    for (const Call call :
         {Call::wait_one, Call::wait_either, Call::wait_any, Call::wait_set_wait, Call::channel_read,
          Call::channel_write, Call::send_handles, Call::receive_handles}) {
      CAPTURE(std::string(fault_row(call).name));
      if (!can_be_made(call)) continue;
      fault_plan::clear();
      CHECK(maker_of(call)([&] { fault_plan::interrupt(call, 1); }) == without_fault(call));
      CHECK(fault_plan::injected() == (capabilities().signals ? 1 : 0));
    }
    fault_plan::clear();
    CHECK(fault_plan::parse("wait_one:2:eintr"));
    const Wakeup wakeup = must(Wakeup::create());
    for (int i = 0; i < 3; ++i)
      CHECK(outcome(wait_one(wakeup.waitable(), Deadline::now())) == Condition::timed_out);
    CHECK(fault_plan::injected() == (capabilities().signals ? 1 : 0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "an injected error says which call it was") {
    const CleanPlan clean;
    fault_plan::fail(Call::wakeup_create, 2, Condition::out_of_handles);
    CHECK(outcome(Wakeup::create()) == success);
    const auto failed = Wakeup::create();
    REQUIRE(outcome(failed) == Condition::out_of_handles);
    CHECK(std::string(failed.error().call) == "wakeup_create");
    CHECK(outcome(Wakeup::create()) == success);
  }
}

}  // namespace multiprocessing::platform::fault_tests
