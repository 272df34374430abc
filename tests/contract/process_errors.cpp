// Starts that fail: each for its own reason, with its own condition, and without a child.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/event_loop.hpp"
#include "contract/handle_transfer.hpp"
#include "contract/process.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::process_errors_tests {
namespace {

namespace fs = std::filesystem;
using namespace test_support;

Outcome launching(const LaunchRequest& request) { return outcome(launch(request)); }

LaunchRequest program(std::string path) {
  LaunchRequest request;
  request.arguments = {"program"};
  request.executable = std::move(path);
  return request;
}

/// A file with that content in the folder for temporary files.
class File {
 public:
  explicit File(const std::string& content)
      : path_(fs::temp_directory_path() / ("contract-" + std::to_string(current_pid()) + ".exe")) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  [[nodiscard]] std::string text() const { return path_.string(); }
  /// Whether the file system knows a permission to execute, and it is now set so.
  [[nodiscard]] bool set_executable(bool on) const {
    fs::permissions(path_, fs::perms::owner_exec, on ? fs::perm_options::add : fs::perm_options::remove);
    return ((fs::status(path_).permissions() & fs::perms::owner_exec) != fs::perms::none) == on;
  }

 private:
  fs::path path_;
};

/// Takes all handles that this process may have, and tells what then still works.
const ChildFunction runs_out_of_handles("runs_out_of_handles", [](ChildContext&) {
  const Wakeup wakeup = must(Wakeup::create());
  auto [left, right] = must(channel_pair());
  const RawHandle raw = left.get();
  if (capabilities().handle_transfer) must(send_handles(left, std::span(&raw, 1), patience()));
  std::vector<Handle> taken;
  auto next = duplicate_handle(wakeup.waitable());
  for (; next; next = duplicate_handle(wakeup.waitable())) taken.emplace_back(*next);
  if (outcome(next) != Condition::out_of_handles) return 1;
  if (outcome(channel_pair()) != Condition::out_of_handles) return 2;
  if (outcome(Wakeup::create()) != Condition::out_of_handles) return 3;
  if (outcome(stream_pipe(Direction::child_reads)) != Condition::out_of_handles) return 4;
  if (outcome(EventLoop::create()) != Condition::out_of_handles) return 5;
  if (outcome(WaitSet::create()) != Condition::out_of_handles && capabilities().kept_wait_sets) return 8;
  if (capabilities().handle_transfer) {
    if (outcome(receive_handles(right, 1, patience())) != Condition::out_of_handles) return 9;
    send_text(left, "in step");
    if (receive_text(right) != "in step") return 10;
  }
  const auto started = launch(request_for(exit_with, {"0"}));
  if (!started && outcome(started) != Condition::out_of_handles) return 6;
  taken.clear();
  auto child = must(launch(request_for(exit_with, {"0"})));
  return join(child) == exited(0) ? 0 : 7;
});

}  // namespace

TEST_SUITE("contract.process_errors") {
  TEST_CASE_FIXTURE(LeakCheck, "a program that does not exist is not found") {
    CHECK(launching(program("no-such-program-anywhere")) == Condition::not_found);
    CHECK(outcome(find_program("no-such-program-anywhere")) == Condition::not_found);
    CHECK(launching(program("no/such/program")) == Condition::not_found);
    CHECK(launching(program((fs::temp_directory_path() / "no-such-program").string())) ==
          Condition::not_found);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a folder is no program that one may run") {
    CHECK(launching(program(fs::temp_directory_path().string() + "/.")) == Condition::permission_denied);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a file that is no program cannot be run") {
    for (const char* content : {"this is no program\n", ""}) {
      const File file(content);
      static_cast<void>(file.set_executable(true));
      CHECK(launching(program(file.text())) == Condition::not_executable);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a file without the permission to execute is refused") {
    const File file("this is no program\n");
    if (!file.set_executable(true) || !file.set_executable(false)) {
      skip("files have no permission to execute here");
      return;
    }
    CHECK(launching(program(file.text())) == Condition::permission_denied);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a working directory that does not exist is not found") {
    auto request = request_for(exit_with, {"0"});
    request.working_directory = (fs::temp_directory_path() / "no-such-folder").string();
    CHECK(launching(request) == Condition::not_found);
  }

  TEST_CASE_FIXTURE(LeakCheck, "what is longer than the system takes is too long") {
    CHECK(launching(program("/" + std::string(100'000, 'x'))) == Condition::too_long);
    CHECK(launching(request_for(exit_with, {"0", std::string(8 << 20, 'x')})) == Condition::too_long);
  }

  TEST_CASE_FIXTURE(LeakCheck, "requests that make no sense are the caller's mistake") {
    const auto good = request_for(exit_with, {"0"});
    const auto changed = [&](auto change) {
      auto request = good;
      change(request);
      return launching(request);
    };
    const std::string with_zero("a\0b", 3);
    CHECK(changed([](auto& request) { request.arguments.clear(); }) == Condition::invalid_argument);
    CHECK(changed([](auto& request) { request.executable.clear(); }) == Condition::invalid_argument);
    CHECK(changed([&](auto& request) { request.executable = with_zero; }) == Condition::invalid_argument);
    CHECK(changed([&](auto& request) { request.arguments.push_back(with_zero); }) ==
          Condition::invalid_argument);
    CHECK(changed([&](auto& request) { request.working_directory = with_zero; }) ==
          Condition::invalid_argument);
    CHECK(changed([](auto& request) { request.environment = {{"no equals sign"}}; }) ==
          Condition::invalid_argument);
    CHECK(changed([](auto& request) { request.environment = {{"=no name"}}; }) ==
          Condition::invalid_argument);
    CHECK(changed([&](auto& request) { request.environment = {{"A=" + with_zero}}; }) ==
          Condition::invalid_argument);
    auto child = must(launch(good));
    CHECK(join(child) == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "handles that are not open are the caller's mistake") {
    RawHandle closed = no_handle;
    {
      const Wakeup wakeup = must(Wakeup::create());
      closed = wakeup.waitable();
    }
    auto request = request_for(exit_with, {"0"});
    request.inherited = closed;
    CHECK(launching(request) == Condition::invalid_argument);
    for (const RawHandle handle : {closed, no_handle}) {
      for (std::size_t stream = 0; stream < 3; ++stream) {
        request = request_for(exit_with, {"0"});
        request.streams[stream] = {StreamBinding::Source::handle, handle};
        CHECK(launching(request) == Condition::invalid_argument);
      }
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a failed start leaves the handles of the request alone") {
    auto [left, right] = must(channel_pair());
    auto request = program("no-such-program-anywhere");
    request.inherited = right.get();
    request.streams[0] = {StreamBinding::Source::handle, right.get()};
    CHECK(launching(request) == Condition::not_found);
    send_text(left, "still connected");
    CHECK(receive_text(right) == "still connected");
  }

  TEST_CASE_FIXTURE(LeakCheck, "failed starts leak nothing") {
    const Holdings before = holdings();
    for (int i = 0; i < 50; ++i) {
      auto [left, right] = must(channel_pair());
      auto request = program("no/such/program");
      request.inherited = right.get();
      for (auto& stream : request.streams) stream.source = StreamBinding::Source::null;
      REQUIRE(launching(request) == Condition::not_found);
      request = request_for(exit_with, {"0"});
      request.working_directory = "no/such/folder";
      REQUIRE(launching(request) == Condition::not_found);
    }
    CHECK(returns_to(before));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a process without a free handle says so, and recovers") {
    const auto limit = handle_limit();
    if (!limit || *limit > 65'536) {
      skip("this process may have more handles than a test can take");
      return;
    }
    auto child = must(launch(request_for(runs_out_of_handles)));
    CHECK(join(child) == exited(0));
  }
}

}  // namespace multiprocessing::platform::process_errors_tests
