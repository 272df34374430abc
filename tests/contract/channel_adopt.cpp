// Taking a channel over from a bare handle: the right one works, every wrong one is refused and left alone.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "contract/channel.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::channel_adopt_tests {
namespace {

using namespace test_support;

constexpr int refused = 10;  // exit codes of the children
constexpr int accepted = 11;
constexpr int other_error = 12;

int verdict(const Result<Channel>& result) {
  if (result) return accepted;
  return result.error().condition == Condition::invalid_argument ? refused : other_error;
}

/// Tries to adopt what it inherited as made by the process in its argument.
const ChildFunction adopts("adopts", [](ChildContext& context) {
  return verdict(Channel::adopt_inherited(context.inherited, std::stoi(context.arguments.at(0))));
});

/// Tries to adopt the number in its argument as made by its parent.
const ChildFunction adopts_number("adopts_number", [](ChildContext& context) {
  const auto number = static_cast<RawHandle>(std::stoll(context.arguments.at(0)));
  return verdict(Channel::adopt_inherited(number, context.creator));
});

/// Fails to adopt with a wrong creator, then must succeed with the right one.
const ChildFunction adopts_at_last("adopts_at_last", [](ChildContext& context) {
  for (const int wrong : {current_pid(), 0, -1})
    if (verdict(Channel::adopt_inherited(context.inherited, wrong)) != refused) return 1;
  auto channel = must(Channel::adopt_inherited(context.inherited, context.creator));
  send_text(channel, "at last");
  return 0;
});

/// Hands the channel that it inherited on to a child of its own.
const ChildFunction hands_on("hands_on", [](ChildContext& context) {
  Inherited inherited{context.inherited, context.creator, false};
  const bool honest = context.arguments.at(0) == "honest";
  const int named = honest ? context.creator : current_pid();
  auto child = must(launch(request_for(adopts, {std::to_string(named)}, inherited)));
  return join(child).code;
});

/// After it took its channel over, starts a child of its own, which tries to do the same under that number.
const ChildFunction starts_one_more("starts_one_more", [](ChildContext& context) {
  const Inherited nothing{no_handle, context.creator, false};
  auto child = must(launch(request_for(adopts_number, {std::to_string(context.inherited)}, nothing)));
  return join(child).code;
});

int code_of(const ChildFunction& function, std::vector<std::string> arguments, const Inherited& inherited) {
  auto child = must(launch(request_for(function, std::move(arguments), inherited)));
  return join(child).code;
}

Inherited unadopted(RawHandle handle) { return {handle, current_pid(), false}; }

}  // namespace

TEST_SUITE("contract.channel_adopt") {
  TEST_CASE_FIXTURE(LeakCheck, "a channel is adopted from its handle") {
    auto [left, right] = must(channel_pair());
    auto copy = must(Channel::adopt(Handle(must(duplicate_handle(left.get())))));
    send_text(copy, "from the copy");
    CHECK(receive_text(right) == "from the copy");
    left.close();
    send_text(right, "to the copy");
    CHECK(receive_text(copy) == "to the copy");
    copy.close();
    CHECK(at_end(right));
  }

  TEST_CASE_FIXTURE(LeakCheck, "what is no end of a channel is not adopted") {
    CHECK(outcome(Channel::adopt(Handle())) == Condition::invalid_argument);
    const Wakeup wakeup = must(Wakeup::create());
    CHECK(outcome(Channel::adopt(Handle(must(duplicate_handle(wakeup.waitable()))))) ==
          Condition::invalid_argument);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a stream that goes one way is adopted for that way alone") {
    for (const auto direction : {Direction::child_reads, Direction::child_writes}) {
      const auto pipe = must(stream_pipe(direction));
      const bool we_read = direction == Direction::child_writes;
      const auto adopt_for = [&](StreamUse use) {
        return outcome(Channel::adopt_stream(Handle(must(duplicate_handle(pipe.parent.get()))), use));
      };
      CHECK(adopt_for({.reading = we_read, .writing = !we_read}) == success);
      const StreamUse possible = possible_use(pipe.parent.get());
      CHECK((we_read ? possible.reading : possible.writing));
      if (possible.reading && possible.writing) continue;  // pipes of this system go both ways
      CHECK(adopt_for({.reading = !we_read, .writing = we_read}) == Condition::invalid_argument);
      CHECK(adopt_for({}) == Condition::invalid_argument);
    }
    auto [left, right] = must(channel_pair());
    CHECK(outcome(Channel::adopt_stream(Handle(must(duplicate_handle(left.get()))))) == success);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child adopts the end that its parent let it inherit") {
    auto [left, right] = must(channel_pair());
    CHECK(code_of(adopts, {std::to_string(current_pid())}, unadopted(left.get())) == accepted);
  }

  TEST_CASE_FIXTURE(LeakCheck, "an end that another process made is refused, and stays as it was") {
    auto [left, right] = must(channel_pair());
    CHECK(code_of(adopts_at_last, {}, unadopted(left.get())) == 0);
    CHECK(receive_text(right) == "at last");
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "an end that was handed on belongs to its maker, not to the one who hands it on") {
    auto [left, right] = must(channel_pair());
    CHECK(code_of(hands_on, {"honest"}, unadopted(left.get())) == accepted);
    CHECK(code_of(hands_on, {"liar"}, unadopted(left.get())) == refused);
  }

  TEST_CASE_FIXTURE(LeakCheck, "standard streams, strange numbers and closed handles are refused") {
    for (const auto number : {"-1", "0", "1", "2", "-7", "9999", "123456789"}) {
      CAPTURE(number);
      CHECK(code_of(adopts_number, {number}, Inherited{}) == refused);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a channel as standard stream is refused under that number") {
    auto [left, right] = must(channel_pair());
    auto request = request_for(adopts_number, {"0"});
    request.streams[0] = {StreamBinding::Source::handle, left.get()};
    auto child = must(launch(request));
    CHECK(join(child).code == refused);
  }

  TEST_CASE_FIXTURE(LeakCheck, "an inherited handle of another kind is refused") {
    const auto pid = std::to_string(current_pid());
    const Wakeup wakeup = must(Wakeup::create());
    CHECK(code_of(adopts, {pid}, unadopted(wakeup.waitable())) == refused);
    for (const auto direction : {Direction::child_reads, Direction::child_writes}) {
      const auto pipe = must(stream_pipe(direction));
      CHECK(code_of(adopts, {pid}, unadopted(pipe.child.get())) == refused);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "an adopted end is not inherited any further") {
    CHECK(start(starts_one_more).join().code == refused);
  }
}

}  // namespace multiprocessing::platform::channel_adopt_tests
