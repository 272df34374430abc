// The terminal and the three standard streams.
#include "contract/console.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "contract/channel.hpp"
#include "contract/process.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::console_tests {
namespace {

using namespace test_support;

std::string line_of(const std::string& name, int number) {
  return name + " " + std::to_string(number) + " " + std::string(150, name[0]) + "\n";
}

const ChildFunction writes_lines("writes_lines", [](ChildContext& context) {
  for (int i = 0; i < 500; ++i) write_to_standard_error(line_of(context.arguments.at(0), i));
  return 0;
});

// More than any pipe holds, with letters of several bytes at its end.
std::string long_text() {
  std::string text(3'000'000, 'y');
  text.append("\xe6\x97\xa5");
  return text;
}

const ChildFunction writes_much("writes_much", [](ChildContext&) {
  write_to_standard_error(long_text());
  write_to_standard_error("");
  return 0;
});

const ChildFunction writes_to_nobody("writes_to_nobody", [](ChildContext& context) {
  static_cast<void>(at_end(context.channel));
  for (int i = 0; i < 3; ++i) write_to_standard_error("nobody reads this");
  return 0;
});

const ChildFunction has_no_terminal("has_no_terminal", [](ChildContext&) {
  for (const auto stream : {StandardStream::input, StandardStream::output, StandardStream::error})
    if (terminal_width(stream)) return 1;
  return 0;
});

/// Closes streams, then has them replaced; handles that are made later must not take their places.
const ChildFunction secures_streams("secures_streams", [](ChildContext& context) {
  std::fclose(stdin);
  std::fclose(stdout);
  must(secure_standard_streams());
  must(secure_standard_streams());
  const auto [left, right] = must(channel_pair());
  const Wakeup wakeup = must(Wakeup::create());
  for (const RawHandle handle : {left.get(), right.get(), wakeup.waitable()})
    if (handle >= 0 && handle <= 2) return 1;
  if (terminal_width(StandardStream::input)) return 2;
  write_to_standard_error("kept");
  auto child = start(echo);
  send_text(child.channel, "x");
  send_text(context.channel, receive_text(child.channel));
  return 0;
});

/// Runs with its error stream bound to a pipe, and gives what it wrote.
std::string errors_of(const ChildFunction& function) {
  auto pipe = must(stream_pipe(Direction::child_writes));
  auto child = start(function, {}, [&](LaunchRequest& request) {
    request.streams[2] = {StreamBinding::Source::handle, pipe.child.get()};
  });
  pipe.child.reset();
  auto text = read_to_end(pipe.parent);
  CHECK(child.join() == exited(0));
  return text;
}

}  // namespace

TEST_SUITE("contract.console") {
  TEST_CASE_FIXTURE(LeakCheck, "pipes and the null device have no width") {
    auto input = must(stream_pipe(Direction::child_reads));
    auto output = must(stream_pipe(Direction::child_writes));
    auto child = start(has_no_terminal, {}, [&](LaunchRequest& request) {
      request.streams[0] = {StreamBinding::Source::handle, input.child.get()};
      request.streams[1] = {StreamBinding::Source::handle, output.child.get()};
      request.streams[2].source = StreamBinding::Source::null;
    });
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a terminal that there is has columns") {
    for (const auto stream : {StandardStream::input, StandardStream::output, StandardStream::error})
      if (const auto width = terminal_width(stream)) CHECK(*width > 0);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a text arrives whole, of any length") {
    CHECK(errors_of(writes_much) == long_text());
  }

  TEST_CASE_FIXTURE(LeakCheck, "lines of several processes do not mix") {
    auto pipe = must(stream_pipe(Direction::child_writes));
    std::vector<Child> children;
    std::multiset<std::string> expected;
    for (const std::string name : {"a", "b", "c"}) {
      children.push_back(start(writes_lines, {name}, [&](LaunchRequest& request) {
        request.streams[2] = {StreamBinding::Source::handle, pipe.child.get()};
      }));
      for (int i = 0; i < 500; ++i) expected.insert(line_of(name, i));
    }
    pipe.child.reset();
    std::istringstream text(read_to_end(pipe.parent));
    std::multiset<std::string> seen;
    for (std::string line; std::getline(text, line);) seen.insert(line + "\n");
    CHECK((seen == expected));
    for (auto& child : children) CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "what nobody reads is dropped, and harms nobody") {
    auto pipe = must(stream_pipe(Direction::child_writes));
    auto child = start(writes_to_nobody, {}, [&](LaunchRequest& request) {
      request.streams[2] = {StreamBinding::Source::handle, pipe.child.get()};
    });
    pipe.child.reset();
    pipe.parent.close();
    child.channel.close();
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "closed standard streams are replaced, open ones kept") {
    CHECK(errors_of(secures_streams) == "kept");
  }

  TEST_CASE_FIXTURE(LeakCheck, "securing open streams changes nothing") {
    must(secure_standard_streams());
    must(secure_standard_streams());
  }
}

}  // namespace multiprocessing::platform::console_tests
