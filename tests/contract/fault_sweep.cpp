// ctest: cost=15
// A whole conversation with a child in which any one call fails: each failure is reported, leaks nothing
// and hangs nobody. Also reads and writes that are cut short, and plans that come from the environment.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/channel.hpp"
#include "contract/crypto.hpp"
#include "contract/event_loop.hpp"
#include "contract/fault.hpp"
#include "contract/handle_transfer.hpp"
#include "contract/process.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/clean_plan.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::fault_sweep_tests {
namespace {

using namespace test_support;

/// An error of the contract, thrown out of a conversation.
struct Injected {
  Error error;
};

template <class T>
T need(Result<T> result) {
  if (!result) throw Injected{result.error()};
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

const ChildFunction answers_with_a_handle("answers_with_a_handle", [](ChildContext& context) {
  const auto text = receive_text(context.channel);
  send_text(context.channel, text);
  const RawHandle raw = context.channel.get();
  if (capabilities().handle_transfer) must(send_handles(context.channel, std::span(&raw, 1), patience()));
  return at_end(context.channel) ? 0 : 1;
});

/// Everything that parent and child have to do with each other, once.
void converse() {
  const auto path = need(executable_path());
  CHECK_FALSE(path.real.empty());
  std::array<std::byte, 8> number;
  need(random_bytes(number));
  auto [ours, theirs] = need(channel_pair());
  const auto wakeup = need(Wakeup::create());
  auto output = need(stream_pipe(Direction::child_writes));
  Inherited inherited;
  inherited.handle = theirs.get();
  auto request = request_for(answers_with_a_handle, {}, inherited);
  request.streams[1] = {StreamBinding::Source::handle, output.child.get()};
  Child child(need(launch(request)), std::move(ours));
  theirs.close();
  output.child.reset();
  auto set = need(WaitSet::create());
  need(set.add(child.process.sentinel(), 1));
  need(set.add(child.channel.readable(), 2));

  const std::array<std::uint32_t, 2> text{4, 0x2a2a2a2a};  // as send_text() writes it
  need(child.channel.write_all(std::as_bytes(std::span(text)), patience()));
  std::array<std::uint32_t, 2> answer{};
  need(child.channel.read_all(std::as_writable_bytes(std::span(answer)), patience(), &wakeup));
  CHECK(answer == text);
  if (capabilities().handle_transfer) {
    const auto handles = need(receive_handles(child.channel, 1, patience()));
    CHECK(handles.size() == 1);
  }
  child.channel.close();
  const auto ended = need(Wakeup::create());
  const auto loop = need(EventLoop::create());
  need(loop->watch(child.process.sentinel(), [&] {
    ended.notify();
    return false;
  }));
  need(loop->at(Deadline::now(), [] {}));
  const std::array handles{ended.waitable(), wakeup.waitable()};
  const auto positions = need(wait_any(handles, patience()));
  CHECK(positions == std::vector<std::size_t>{0});
  need(wait_one(child.process.sentinel(), patience()));
  CHECK(child.process.poll() == exited(0));
}

const ChildFunction fails_by_environment("fails_by_environment", [](ChildContext&) {
  const Wakeup first = must(Wakeup::create());
  if (outcome(Wakeup::create()) != Condition::out_of_memory) return 1;
  const Wakeup third = must(Wakeup::create());
  if (outcome(WaitSet::create()) != Condition::out_of_handles) return 2;
  return fault_plan::injected() == 2 ? 0 : 3;
});

const ChildFunction tells_forced("tells_forced", [](ChildContext&) {
  return (forced("one") ? 1 : 0) + (forced("two") ? 2 : 0) + (forced("three") ? 4 : 0);
});

/// Puts what a program needs to start at all beside `entry`.
std::vector<std::string> environment_of(std::string entry) {
  std::vector<std::string> entries{std::move(entry)};
  for (const char* name : {"SystemRoot", "ASAN_OPTIONS", "TSAN_OPTIONS", "PATH"})
    if (const auto value = environment_variable(name)) entries.push_back(std::string(name) + "=" + *value);
  return entries;
}

}  // namespace

TEST_SUITE("contract.fault_sweep") {
  TEST_CASE_FIXTURE(LeakCheck, "a conversation in which any one call fails reports it, leaks nothing, ends") {
    const CleanPlan clean;
    converse();
    for (const FaultRow& row : fault_table) {
      CAPTURE(std::string(row.name));
      for (const Condition condition : row.distinct()) {
        CAPTURE(condition);
        bool injected = true;
        for (std::uint64_t n = 1; injected; ++n) {
          CAPTURE(n);
          const Holdings before = holdings();
          fault_plan::clear();
          fault_plan::fail(row.call, n, condition);
          Outcome reported;
          try {
            converse();
          } catch (const Injected& failure) {
            reported = failure.error.condition;
          } catch (const std::exception&) {
            reported = condition;  // by one of the helpers that the conversation uses
          }
          injected = fault_plan::injected() > 0;
          CHECK(reported == (injected ? Outcome(condition) : success));
          REQUIRE(n < 100);
          CHECK(returns_to(before));
        }
      }
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "bytes arrive although each write and each read is cut short") {
    const CleanPlan clean;
    auto [left, right] = must(channel_pair());
    fault_plan::cut(Call::channel_write, 3);
    fault_plan::cut(Call::channel_read, 2);
    const auto sent = pattern(301, 4);
    std::vector<std::byte> received(sent.size());
    must(left.write_all(sent, patience()));
    must(right.read_all(received, patience()));
    CHECK((received == sent));
    must(left.write_all(sent, patience()));
    must(wait_one(right.readable(), patience()));
    CHECK(must(right.read_some(received)) <= 2);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a write that breaks off has written so much, and fails as broken") {
    const CleanPlan clean;
    auto [left, right] = must(channel_pair());
    fault_plan::break_off(1, 5);
    bool begun = false;
    const auto broken = left.write_both(bytes_of("abc"), bytes_of("defg"), patience(), nullptr, &begun);
    REQUIRE_FALSE(broken);
    CHECK(broken.error().condition == Condition::broken);
    CHECK(begun);
    must(left.write_all(bytes_of("!"), patience()));
    std::array<std::byte, 6> arrived{};
    must(right.read_all(arrived, patience()));
    CHECK(std::ranges::equal(arrived, bytes_of("abcde!")));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child takes its plan from the environment") {
    auto request = request_for(fails_by_environment);
    request.environment = environment_of(
        "MULTIPROCESSING_FAULT=wakeup_create:2:out_of_memory,wait_set_create:1:out_of_handles");
    auto child = must(launch(request));
    CHECK(join(child) == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child takes the fallbacks that its environment names") {
    auto request = request_for(tells_forced);
    request.environment = environment_of("MULTIPROCESSING_FORCE=one,three");
    auto child = must(launch(request));
    CHECK(join(child) == exited(5));
  }
}

}  // namespace multiprocessing::platform::fault_sweep_tests
