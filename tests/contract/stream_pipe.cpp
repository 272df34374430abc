// Pipes for the standard streams of children.
#include <doctest/doctest.h>

#include <future>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "contract/channel.hpp"
#include "contract/console.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::stream_pipe_tests {
namespace {

using namespace test_support;

std::string input_to_its_end() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

const ChildFunction counts_input("counts_input", [](ChildContext& context) {
  const auto text = input_to_its_end();
  send_number(context.channel, static_cast<std::int64_t>(text.size()));
  send_text(context.channel, text.substr(0, 100));
  return 0;
});

const ChildFunction prints("prints", [](ChildContext& context) {
  const auto lines = std::stoi(context.arguments.at(0));
  for (int i = 0; i < lines; ++i) std::cout << "0123456789abcde\n";
  std::cout.flush();
  return 0;
});

const ChildFunction says_pid_to_errors("says_pid_to_errors", [](ChildContext& context) {
  write_to_standard_error("error " + context.arguments.at(0));
  return at_end(context.channel) ? 0 : 1;
});

/// Carriage returns are how one system writes the ends of lines in text streams.
std::string without_returns(std::string text) {
  std::erase(text, '\r');
  return text;
}

StreamBinding bound_to(const Handle& handle) { return {StreamBinding::Source::handle, handle.get()}; }

}  // namespace

TEST_SUITE("contract.stream_pipe") {
  TEST_CASE_FIXTURE(LeakCheck, "a pipe that is not used is closed") {
    for (const auto direction : {Direction::child_reads, Direction::child_writes}) {
      const auto pipe = must(stream_pipe(direction));
      CHECK(static_cast<bool>(pipe.parent));
      CHECK(static_cast<bool>(pipe.child));
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child reads from its standard input until the pipe is closed") {
    auto pipe = must(stream_pipe(Direction::child_reads));
    auto child =
        start(counts_input, {}, [&](LaunchRequest& request) { request.streams[0] = bound_to(pipe.child); });
    pipe.child.reset();
    must(pipe.parent.write_all(bytes_of("hello, child"), patience()));
    pipe.parent.close();
    CHECK(receive_number(child.channel) == 12);
    CHECK(receive_text(child.channel) == "hello, child");
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "much goes through a pipe in both directions") {
    auto input = must(stream_pipe(Direction::child_reads));
    auto output = must(stream_pipe(Direction::child_writes));
    auto reader =
        start(counts_input, {}, [&](LaunchRequest& request) { request.streams[0] = bound_to(input.child); });
    auto writer = start(prints, {"200000"},
                        [&](LaunchRequest& request) { request.streams[1] = bound_to(output.child); });
    input.child.reset();
    output.child.reset();
    auto writing = std::async(std::launch::async, [&] {
      const std::vector<std::byte> text(3'000'000, static_cast<std::byte>('x'));
      const auto result = outcome(input.parent.write_all(text, patience()));
      input.parent.close();
      return result;
    });
    CHECK(without_returns(read_to_end(output.parent)).size() == 200'000 * 16);
    CHECK(writing.get() == success);
    CHECK(receive_number(reader.channel) == 3'000'000);
    CHECK(writer.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "the end of the child is the end of its output") {
    auto pipe = must(stream_pipe(Direction::child_writes));
    auto child = start(says_pid_to_errors, {"one"},
                       [&](LaunchRequest& request) { request.streams[2] = bound_to(pipe.child); });
    pipe.child.reset();
    must(wait_one(pipe.parent.readable(), patience()));
    must(child.process.send(StopSignal::kill));
    child.join();
    CHECK(read_to_end(pipe.parent) == "error one");
  }

  TEST_CASE_FIXTURE(LeakCheck, "several children may write into one pipe") {
    auto pipe = must(stream_pipe(Direction::child_writes));
    const auto bind = [&](LaunchRequest& request) { request.streams[2] = bound_to(pipe.child); };
    auto first = start(says_pid_to_errors, {"one"}, bind);
    must(wait_one(pipe.parent.readable(), patience()));
    auto second = start(says_pid_to_errors, {"two"}, bind);
    pipe.child.reset();
    std::string text(18, '\0');
    must(pipe.parent.read_all(std::as_writable_bytes(std::span(text)), patience()));
    CHECK(text == "error oneerror two");
    first.channel.close();
    CHECK(first.join() == exited(0));
    std::byte byte{};
    CHECK(outcome(pipe.parent.read_some(std::span(&byte, 1))) == Condition::would_block);
    second.channel.close();
    CHECK(second.join() == exited(0));
    CHECK(at_end(pipe.parent));
  }

  TEST_CASE_FIXTURE(LeakCheck, "writing into a pipe that nobody reads any more is broken") {
    auto pipe = must(stream_pipe(Direction::child_reads));
    pipe.child.reset();
    CHECK(outcome(pipe.parent.write_all(pattern(10, 1), patience())) == Condition::broken);
  }

  TEST_CASE_FIXTURE(LeakCheck, "reading from a pipe that nobody writes any more is the end") {
    auto pipe = must(stream_pipe(Direction::child_writes));
    std::byte byte{};
    CHECK(outcome(pipe.parent.read_some(std::span(&byte, 1))) == Condition::would_block);
    CHECK(outcome(wait_one(pipe.parent.readable(), Deadline::now())) == Condition::timed_out);
    pipe.child.reset();
    CHECK(at_end(pipe.parent));
    CHECK(outcome(wait_one(pipe.parent.readable(), patience())) == success);
  }

  TEST_CASE_FIXTURE(LeakCheck, "the parent's end does not reach children") {
    auto pipe = must(stream_pipe(Direction::child_reads));
    auto reader =
        start(counts_input, {}, [&](LaunchRequest& request) { request.streams[0] = bound_to(pipe.child); });
    pipe.child.reset();
    auto bystander = start(echo);
    pipe.parent.close();
    CHECK(receive_number(reader.channel) == 0);
  }
}

}  // namespace multiprocessing::platform::stream_pipe_tests
