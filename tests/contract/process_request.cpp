// What a child gets: arguments, environment, working directory, standard streams, one handle and no other.
#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <future>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "contract/console.hpp"
#include "contract/process.hpp"
#include "contract/system.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::process_request_tests {
namespace {

using namespace test_support;

const ChildFunction tells_arguments("tells_arguments", [](ChildContext& context) {
  send_number(context.channel, static_cast<std::int64_t>(context.arguments.size()));
  for (const auto& argument : context.arguments) send_text(context.channel, argument);
  return 0;
});

const ChildFunction tells_environment("tells_environment", [](ChildContext& context) {
  for (const auto& name : context.arguments) {
    const auto value = environment_variable(name.c_str());
    send_text(context.channel, value ? "=" + *value : "none");
  }
  return 0;
});

const ChildFunction tells_directory("tells_directory", [](ChildContext& context) {
  const auto path = std::filesystem::current_path().u8string();
  send_text(context.channel, {reinterpret_cast<const char*>(path.data()), path.size()});
  return 0;
});

/// Copies its input to its output and says a word to the error stream.
const ChildFunction copies_streams("copies_streams", [](ChildContext&) {
  std::cout << std::string(std::istreambuf_iterator<char>(std::cin), {}) << "|out";
  std::cout.flush();
  write_to_standard_error("|error");
  return std::cout.good() ? 0 : 1;
});

/// Starts copies_streams with all of its own streams.
const ChildFunction passes_streams_on("passes_streams_on", [](ChildContext&) {
  auto child = must(launch(request_for(copies_streams)));
  return join(child).code;
});

const ChildFunction tells_inherited("tells_inherited", [](ChildContext& context) {
  send_number(context.channel, context.inherited);
  send_number(context.channel, context.channel.get());
  send_number(context.channel, open_handle_count().value_or(-1));
  return at_end(context.channel) ? 0 : 1;
});

/// Makes handles and starts a child without any standard stream.
const ChildFunction lives_without_streams("lives_without_streams", [](ChildContext& context) {
  std::fclose(stdin);
  std::fclose(stdout);
  auto [left, right] = must(channel_pair());
  for (const RawHandle handle : {left.get(), right.get()})
    if (handle >= 0 && handle <= 2) return 1;
  auto child = start(tells_arguments, {"one", "two"});
  if (receive_number(child.channel) != 2) return 2;
  if (child.join() != exited(0)) return 3;
  send_text(context.channel, "done");
  return 0;
});

std::vector<std::string> arguments_as_seen(const std::vector<std::string>& arguments) {
  auto child = start(tells_arguments, arguments);
  std::vector<std::string> seen(static_cast<std::size_t>(receive_number(child.channel)));
  for (auto& argument : seen) argument = receive_text(child.channel);
  CHECK(child.join() == exited(0));
  return seen;
}

/// What the rest of a replaced environment may have to be for a program to start at all.
std::vector<std::string> environment_with(std::vector<std::string> entries) {
  for (const char* name : {"SystemRoot", "MULTIPROCESSING_FORCE", "ASAN_OPTIONS", "TSAN_OPTIONS"})
    if (const auto value = environment_variable(name)) entries.push_back(std::string(name) + "=" + *value);
  return entries;
}

class Folder {
 public:
  explicit Folder(const std::u8string& name)
      : path_(std::filesystem::temp_directory_path() / std::filesystem::path(u8"contract " + name)) {
    path_ += "-" + std::to_string(current_pid());
    std::filesystem::create_directory(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string text() const {
    const auto utf8 = path_.u8string();
    return {utf8.begin(), utf8.end()};
  }

 private:
  std::filesystem::path path_;
};

struct Streams {
  StreamPipe input = must(stream_pipe(Direction::child_reads));
  StreamPipe output = must(stream_pipe(Direction::child_writes));
  StreamPipe errors = must(stream_pipe(Direction::child_writes));

  void bind_to(LaunchRequest& request) const {
    const std::array pipes{&input, &output, &errors};
    for (std::size_t i = 0; i < pipes.size(); ++i)
      request.streams[i] = {StreamBinding::Source::handle, pipes[i]->child.get()};
  }
  void give_away() {
    for (auto* pipe : {&input, &output, &errors}) pipe->child.reset();
  }
};

}  // namespace

TEST_SUITE("contract.process_request") {
  TEST_CASE_FIXTURE(LeakCheck, "arguments arrive byte for byte, whatever is in them") {
    const std::vector<std::string> arguments{"plain",
                                             "",
                                             " ",
                                             "two words",
                                             "\"",
                                             "\"quoted\"",
                                             "a\"b",
                                             "\\",
                                             "\\\\",
                                             "ends with \\",
                                             "ends with \\\\",
                                             "\\\"",
                                             "\\\\\"",
                                             "a\\b",
                                             "a\\\"b c",
                                             "a\\\\\"b c\\",
                                             "tab\tand\nnewline",
                                             "'single'",
                                             "$HOME %PATH% ^ & | < > ;",
                                             "*",
                                             "?.cpp",
                                             "~",
                                             "--contract-child",
                                             "-",
                                             "--",
                                             "=",
                                             "#",
                                             "`ls`",
                                             "(x)",
                                             "!",
                                             "",
                                             "name=value",
                                             "na\xc3\xafve",
                                             "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
                                             "\xf0\x9f\x90\x8d and spaces",
                                             std::string(3000, 'x')};
    CHECK(arguments_as_seen(arguments) == arguments);
    for (const auto& argument : {std::string(), std::string("\\"), std::string("\""), std::string("a \\")})
      CHECK(arguments_as_seen({argument}) == std::vector{argument});
    CHECK(arguments_as_seen({}).empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a thousand arguments arrive") {
    std::vector<std::string> arguments;
    for (int i = 0; i < 1000; ++i) arguments.push_back("argument " + std::to_string(i));
    CHECK(arguments_as_seen(arguments) == arguments);
  }

  TEST_CASE_FIXTURE(LeakCheck, "without an environment of its own a child gets ours") {
    auto child = start(tells_environment, {"PATH", "MULTIPROCESSING_NO_SUCH_NAME"});
    CHECK(receive_text(child.channel) == "=" + environment_variable("PATH").value());
    CHECK(receive_text(child.channel) == "none");
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "an environment replaces ours") {
    auto child = start(
        tells_environment, {"FIRST", "SECOND", "EMPTY", "WORD", "HOME", "PATH"}, [](LaunchRequest& request) {
          request.environment =
              environment_with({"FIRST=1", "SECOND=two = zwei", "EMPTY=", "WORD=\xe6\x97\xa5\xe6\x9c\xac"});
        });
    CHECK(receive_text(child.channel) == "=1");
    CHECK(receive_text(child.channel) == "=two = zwei");
    CHECK(receive_text(child.channel) == "=");
    CHECK(receive_text(child.channel) == "=\xe6\x97\xa5\xe6\x9c\xac");
    CHECK(receive_text(child.channel) == "none");
    CHECK(receive_text(child.channel) == "none");
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child begins in the working directory that it was given") {
    const Folder folder(u8"w\u00f6rter \u65e5");
    auto child = start(tells_directory, {},
                       [&](LaunchRequest& request) { request.working_directory = folder.text(); });
    const auto seen = receive_text(child.channel);
    CHECK(std::filesystem::equivalent(std::filesystem::path(std::u8string(seen.begin(), seen.end())),
                                      folder.path()));
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "without a working directory a child begins in ours") {
    auto child = start(tells_directory);
    const auto seen = receive_text(child.channel);
    CHECK(std::filesystem::equivalent(std::filesystem::path(std::u8string(seen.begin(), seen.end())),
                                      std::filesystem::current_path()));
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "each standard stream may be a handle, and is passed on to grandchildren") {
    for (const auto* function : {&copies_streams, &passes_streams_on}) {
      CAPTURE(std::string(function->name()));
      Streams streams;
      auto request = request_for(*function);
      streams.bind_to(request);
      auto child = must(launch(request));
      streams.give_away();
      must(streams.input.parent.write_all(bytes_of("in"), patience()));
      streams.input.parent.close();
      CHECK(read_to_end(streams.output.parent) == "in|out");
      CHECK(read_to_end(streams.errors.parent) == "|error");
      CHECK(join(child) == exited(0));
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "one handle may be two standard streams") {
    auto pipe = must(stream_pipe(Direction::child_writes));
    auto request = request_for(copies_streams);
    request.streams[0].source = StreamBinding::Source::null;
    request.streams[1] = request.streams[2] = {StreamBinding::Source::handle, pipe.child.get()};
    auto child = must(launch(request));
    pipe.child.reset();
    CHECK(read_to_end(pipe.parent) == "|out|error");
    CHECK(join(child) == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "the null device reads as empty and swallows what is written") {
    auto request = request_for(copies_streams);
    for (auto& stream : request.streams) stream.source = StreamBinding::Source::null;
    auto child = must(launch(request));
    CHECK(join(child) == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a process without standard streams makes handles and starts children") {
    auto child = start(lives_without_streams);
    CHECK(child.join() == exited(0));
    CHECK(receive_text(child.channel) == "done");
  }

  TEST_CASE_FIXTURE(LeakCheck, "the handle that a child inherits keeps its number") {
    auto [ours, theirs] = must(channel_pair());
    Inherited inherited;
    inherited.handle = theirs.get();
    auto process = must(launch(request_for(tells_inherited, {}, inherited)));
    for (int i = 0; i < 2; ++i) CHECK(receive_number(ours) == theirs.get());
    receive_number(ours);
    theirs.close();
    ours.close();
    CHECK(join(process) == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child has no more handles when its parent has many") {
    const auto handles_of_child = [] {
      auto child = start(tells_inherited);
      receive_number(child.channel);
      receive_number(child.channel);
      return receive_number(child.channel);
    };
    const auto few = handles_of_child();
    std::vector<std::pair<Channel, Channel>> pairs;
    std::vector<StreamPipe> pipes;
    std::vector<Wakeup> wakeups;
    for (int i = 0; i < 20; ++i) {
      pairs.push_back(must(channel_pair()));
      pipes.push_back(must(stream_pipe(i % 2 == 0 ? Direction::child_reads : Direction::child_writes)));
      wakeups.push_back(must(Wakeup::create()));
    }
    CHECK(handles_of_child() < few + 20);  // what a runtime opens while it starts is not always the same
  }

  TEST_CASE_FIXTURE(LeakCheck, "a channel ends although a child was started while both ends were open") {
    auto [left, right] = must(channel_pair());
    Handle copy(must(duplicate_handle(right.get())));
    auto pipe = must(stream_pipe(Direction::child_writes));
    auto bystander = start(echo);
    right.close();
    std::byte byte{};
    CHECK(outcome(left.read_some(std::span(&byte, 1))) == Condition::would_block);
    copy.reset();
    pipe.child.reset();
    CHECK(at_end(left));
    CHECK(at_end(pipe.parent));
    CHECK_FALSE(bystander.process.poll().has_value());
  }

  TEST_CASE_FIXTURE(LeakCheck, "children started by several threads at once get only what is theirs") {
    const auto run = [] {
      for (int i = 0; i < 10; ++i) {
        auto first = start(tells_arguments, {"mine"});
        auto second = start(echo);
        CHECK(receive_number(first.channel) == 1);
        CHECK(receive_text(first.channel) == "mine");
        CHECK(at_end(first.channel));  // not while somebody else holds the child's end
        CHECK(first.join() == exited(0));
        second.channel.close();
        CHECK(second.join() == exited(0));  // not while somebody else holds our end
      }
    };
    std::vector<std::future<void>> threads;
    for (int i = 0; i < 4; ++i) threads.push_back(std::async(std::launch::async, run));
    for (auto& thread : threads) thread.get();
  }
}

}  // namespace multiprocessing::platform::process_request_tests
