// Registry and start of test children. Command line of a child:
//   program --contract-child NAME channel=N creator=PID adopt=0|1 ARGUMENTS…
#include "test_support/child.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

#include "contract/console.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::test_support {
namespace {

constexpr std::string_view flag = "--contract-child";
constexpr int broken_child = 97;  // the exit code of a child whose own code failed

const ChildFunction*& registered() {
  static const ChildFunction* first = nullptr;
  return first;
}

long long field(std::string_view text, std::string_view name) {
  if (!text.starts_with(name)) throw std::runtime_error("a child was started with " + std::string(text));
  return std::strtoll(std::string(text.substr(name.size())).c_str(), nullptr, 10);
}

std::vector<std::string> words(const char* text) {
  std::istringstream stream(text != nullptr ? text : "");
  std::vector<std::string> result;
  for (std::string word; stream >> word;) result.push_back(word);
  return result;
}

ChildContext context_from(const std::vector<std::string>& fields) {
  if (fields.size() < 4) throw std::runtime_error("a child's command line is too short");
  ChildContext context;
  context.inherited = static_cast<platform::RawHandle>(field(fields[1], "channel="));
  context.creator = static_cast<int>(field(fields[2], "creator="));
  if (field(fields[3], "adopt=") != 0)
    context.channel = must(platform::Channel::adopt_inherited(context.inherited, context.creator));
  context.arguments.assign(fields.begin() + 4, fields.end());
  return context;
}

std::vector<std::string> command_line_of(int argc, char** argv) {
  auto kept = platform::command_line();
  return kept ? *std::move(kept) : std::vector<std::string>(argv, argv + argc);
}

}  // namespace

ChildFunction::ChildFunction(const char* name, Body body)
    : name_(name), body_(body), next_(std::exchange(registered(), this)) {}

std::optional<int> run_child_if_asked(int argc, char** argv) {
  auto line = command_line_of(argc, argv);
  const auto found = std::find(line.begin(), line.end(), flag);
  if (found == line.end()) return std::nullopt;
  platform::silence_crash_dialogs();
  try {
    const std::vector<std::string> fields(found + 1, line.end());
    const std::string name = fields.empty() ? "" : fields.front();
    const auto* function = registered();
    while (function != nullptr && name != function->name_) function = function->next_;
    if (function == nullptr) throw std::runtime_error("no child function is called " + name);
    watch_over("child " + name, time_limit() - std::chrono::seconds(10));
    auto context = context_from(fields);
    return function->body_(context);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child %d: %s\n", platform::current_pid(), error.what());
    return broken_child;
  }
}

platform::LaunchRequest request_for(const ChildFunction& function, std::vector<std::string> arguments,
                                    const Inherited& inherited) {
  const auto path = must(platform::executable_path());
  platform::LaunchRequest request;
  request.arguments = words(std::getenv("MULTIPROCESSING_TEST_LAUNCHER"));
  const bool direct = request.arguments.empty();
  request.executable = direct ? path.launch : request.arguments.front();
  request.arguments.push_back(path.real);
  request.arguments.insert(
      request.arguments.end(),
      {std::string(flag), function.name(), "channel=" + std::to_string(inherited.handle),
       "creator=" + std::to_string(inherited.creator),
       inherited.adopt && inherited.handle != platform::no_handle ? "adopt=1" : "adopt=0"});
  request.arguments.insert(request.arguments.end(), std::make_move_iterator(arguments.begin()),
                           std::make_move_iterator(arguments.end()));
  request.inherited = inherited.handle;
  return request;
}

Child::Child(platform::ChildProcess started, platform::Channel ours)
    : process(std::move(started)), channel(std::move(ours)) {}

namespace {

/// What is missing of a child that has ended. A sanitizer that looks for leaks has its process as a debugger
/// has.
void await_word(platform::ChildProcess& process) {
  while (const auto word = process.expected_word())
    if (word->handle == platform::no_handle)
      std::this_thread::sleep_for(word->deadline.remaining());
    else
      static_cast<void>(platform::wait_one(word->handle, word->deadline));
}

}  // namespace

Child::~Child() {
  const auto sentinel = process.sentinel();
  if (sentinel == platform::no_handle || process.poll()) return;
  // It may end in this moment: then there is nothing to stop, and the wait returns.
  static_cast<void>(process.send(platform::StopSignal::kill));
  const WaitingFor note("a killed child to end");
  static_cast<void>(platform::wait_one(sentinel, patience()));
  await_word(process);
  static_cast<void>(process.poll());
}

platform::ExitStatus Child::join() { return test_support::join(process); }

platform::ExitStatus join(platform::ChildProcess& process) {
  const WaitingFor note("child " + std::to_string(process.pid()) + " to end");
  must(platform::wait_one(process.sentinel(), patience()));
  await_word(process);
  const auto status = process.poll();
  if (!status) throw std::runtime_error("poll() says that a child runs whose sentinel is ready");
  return *status;
}

Child start(const ChildFunction& function, std::vector<std::string> arguments,
            const std::function<void(platform::LaunchRequest&)>& change) {
  auto [ours, theirs] = must(platform::channel_pair());
  Inherited inherited;
  inherited.handle = theirs.get();
  auto request = request_for(function, std::move(arguments), inherited);
  if (change) change(request);
  return {must(platform::launch(request)), std::move(ours)};
}

const ChildFunction echo("echo", [](ChildContext& context) {
  std::vector<std::byte> buffer(64 * 1024);
  const auto for_ever = platform::Deadline::never();
  while (const auto size = must(context.channel.read_some(buffer, for_ever)))
    must(context.channel.write_all(std::span(buffer).first(size), for_ever));
  return 0;
});

const ChildFunction exit_with("exit_with",
                              [](ChildContext& context) { return std::stoi(context.arguments.at(0)); });

}  // namespace multiprocessing::test_support
