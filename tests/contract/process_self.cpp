// What a process does to itself, and what a child is to its parent when one of them goes.
#include <doctest/doctest.h>

#include <filesystem>
#include <new>
#include <string>
#include <utility>

#include "contract/capabilities.hpp"
#include "contract/console.hpp"
#include "contract/process.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "test_support/abilities.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::process_self_tests {
namespace {

using namespace test_support;

/// Starts a child that shares our channel and may outlive us, and waits to be killed.
const ChildFunction shares_its_channel("shares_its_channel", [](ChildContext& context) {
  auto request = request_for(echo, {}, {context.inherited, context.creator});
  request.ends_with_parent = context.arguments.at(0) == "bound";
  const auto child = must(launch(request));
  must(wait_one(child.sentinel(), Deadline::never()));
  return 1;
});

/// Ends with its channel, or with the process that its argument names, and waits for neither. Says first
/// whether it could be had.
const ChildFunction ends_with_peer_or_with("ends_with_peer_or_with", [](ChildContext& context) {
  Handle sentinel;
  if (!context.arguments.empty())
    sentinel = must(open_sentinel(must(identify(std::stoi(context.arguments.front())))));
  const auto armed = end_with_peer(context.channel, sentinel.get(), 7);
  if (!armed && armed.error().condition != Condition::not_supported) return 1;
  send_number(context.channel, armed ? 1 : 0);
  if (!armed) return 0;
  const auto never = must(Wakeup::create());
  must(wait_one(never.waitable(), Deadline::never()));
  return 2;
});

/// Starts that one for itself, and waits to be killed.
const ChildFunction has_one_that_ends_with_it("has_one_that_ends_with_it", [](ChildContext& context) {
  auto request = request_for(ends_with_peer_or_with, {std::to_string(current_pid())},
                             {context.inherited, context.creator});
  const auto child = must(launch(request));
  must(wait_one(child.sentinel(), Deadline::never()));
  return 1;
});

/// Whether the folder is the current one. (Not by equivalent(), which some libraries cannot do for folders.)
bool is_here(const std::string& folder) {
  namespace fs = std::filesystem;
  return fs::canonical(fs::path(std::u8string(folder.begin(), folder.end())) / ".") == fs::canonical(".");
}

const ChildFunction changes_itself("changes_itself", [](ChildContext& context) {
  must(change_working_directory(context.arguments.at(0)));
  if (!is_here(context.arguments.at(0))) return 1;
  const auto missing = outcome(change_working_directory("no/such/folder"));
  if (missing != Condition::not_found) return 2;
  if (!is_here(context.arguments.at(0))) return 3;
  if (outcome(replace_environment({"no equals sign"})) != Condition::invalid_argument) return 4;
  if (!environment_variable("PATH")) return 5;
  must(replace_environment({"ONE=1", "EMPTY="}));
  if (environment_variable("ONE") != "1") return 6;
  if (environment_variable("EMPTY") != "") return 7;
  if (environment_variable("PATH")) return 8;
  must(change_priority(PriorityClass::below_normal));
  must(change_priority(PriorityClass::background));
  return 0;
});

/// Keeps what it may have, and gets no more.
const ChildFunction limits_its_memory("limits_its_memory", [](ChildContext&) {
  constexpr std::size_t much = std::size_t{512} * 1024 * 1024;
  if (outcome(limit_memory(0)) != Condition::invalid_argument) return 1;
  must(limit_memory(much));
  must(limit_memory(much + much));  // lifts nothing
  const std::vector<char> little(much / 4, 'x');
  if (little.back() != 'x') return 2;
  try {
    const std::vector<char> too_much(much, 'x');
    return too_much.back() == 'x' ? 3 : 4;
  } catch (const std::bad_alloc&) {
  }
  const std::vector<char> again(much / 4, 'x');
  return again.back() == 'x' ? 0 : 5;
});

/// Binds its error stream to the channel's handle and says a word there.
const ChildFunction binds_streams("binds_streams", [](ChildContext& context) {
  std::array<StreamBinding, 3> streams;
  must(bind_standard_streams(streams));
  streams[0].source = StreamBinding::Source::null;
  streams[2] = {StreamBinding::Source::handle, context.channel.get()};
  must(bind_standard_streams(streams));
  write_to_standard_error("bound");
  streams[1] = {StreamBinding::Source::handle, no_handle};
  if (outcome(bind_standard_streams(streams)) != Condition::invalid_argument) return 1;
  return 0;
});

Child starts_sharing(const char* how) {
  auto child = start(shares_its_channel, {how});
  send_text(child.channel, "who answers?");
  CHECK(receive_text(child.channel) == "who answers?");
  return child;
}

}  // namespace

TEST_SUITE("contract.process_self") {
  TEST_CASE_FIXTURE(LeakCheck, "a child that is bound to its parent ends with it") {
    if (!capabilities().ends_children) {
      skip("the system does not end children here");
      return;
    }
    auto child = starts_sharing("bound");
    must(child.process.send(StopSignal::kill));
    CHECK(child.join() == signalled(-9));
    CHECK(at_end(child.channel));  // its child held the same end
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child that is not bound to its parent lives on") {
    auto child = starts_sharing("free");
    must(child.process.send(StopSignal::kill));
    CHECK(child.join() == signalled(-9));
    send_text(child.channel, "still there?");
    CHECK(receive_text(child.channel) == "still there?");
  }

  TEST_CASE_FIXTURE(LeakCheck, "a process ends with the other end of its channel") {
    auto child = start(ends_with_peer_or_with);
    if (receive_number(child.channel) == 0) {
      CHECK(child.join() == exited(0));  // a thread has to watch here
      return;
    }
    send_text(child.channel, "nobody reads this");
    child.channel.close();
    CHECK(child.join() == exited(7));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a process ends with another one, although its channel stays open") {
    if (!capabilities().foreign_sentinels) {
      skip("there are no sentinels of processes that are no children");
      return;
    }
    auto child = start(has_one_that_ends_with_it);
    static_cast<void>(
        receive_number(child.channel));  // it watches, or it ends because a thread would have to
    const auto sent = child.process.send(StopSignal::kill);
    CHECK((sent || sent.error().condition == Condition::gone));
    static_cast<void>(child.join());
    CHECK(at_end(child.channel));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a process limits its memory") {
    if (!limits_memory()) return skip("nothing limits memory here");
    CHECK(start(limits_its_memory).join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a process changes its folder, its environment and its priority") {
    const auto folder = std::filesystem::temp_directory_path().u8string();
    auto child = start(changes_itself, {std::string(folder.begin(), folder.end())});
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a process binds its own standard streams") {
    if (!capabilities().fork) {
      skip("only forked children need it");
      return;
    }
    auto child = start(binds_streams);
    CHECK(child.join() == exited(0));
    CHECK(read_to_end(child.channel) == "bound");
  }
}

}  // namespace multiprocessing::platform::process_self_tests
