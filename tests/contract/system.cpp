// Facts about this process and this machine, and threads that take no signals.
#include "contract/system.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/deep_stack.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::system_tests {
namespace {

using namespace test_support;

const ChildFunction tells_command_line("tells_command_line", [](ChildContext& context) {
  const auto line = must(command_line());
  send_number(context.channel, static_cast<std::int64_t>(line.size()));
  for (const auto& word : line) send_text(context.channel, word);
  return 0;
});

/// Sends itself a signal in a thread that takes none, and lives.
const ChildFunction raises_in_background("raises_in_background", [](ChildContext&) {
  const auto raised = std::make_shared<std::promise<void>>();
  auto done = raised->get_future();
  must(run_in_background([raised] {
    std::raise(SIGTERM);
    raised->set_value();
  }));
  done.get();
  return 33;
});

}  // namespace

TEST_SUITE("contract.system") {
  TEST_CASE_FIXTURE(LeakCheck, "this program has a file, and it can be started") {
    const auto path = must(executable_path());
    CHECK_FALSE(path.launch.empty());
    CHECK(std::filesystem::path(path.real).is_absolute());
    CHECK(std::filesystem::is_regular_file(
        std::filesystem::path(std::u8string(path.real.begin(), path.real.end()))));
    auto child = start(exit_with, {"3"});  // which is by that path
    CHECK(child.join() == exited(3));
  }

  TEST_CASE_FIXTURE(LeakCheck, "the command line is known in UTF-8") {
    CHECK_FALSE(must(command_line()).empty());
    const std::vector<std::string> arguments{"a b", "", "\xe6\x97\xa5\xe6\x9c\xac", "\"\\"};
    auto child = start(tells_command_line, arguments);
    std::vector<std::string> line(static_cast<std::size_t>(receive_number(child.channel)));
    for (auto& word : line) word = receive_text(child.channel);
    REQUIRE(line.size() > arguments.size());
    CHECK(std::vector(line.end() - static_cast<std::ptrdiff_t>(arguments.size()), line.end()) == arguments);
    CHECK(child.join() == exited(0));
  }

  TEST_CASE("there is at least one processor, and not more for this process than there are") {
    CHECK(cpu_count() >= 1);
    CHECK(process_cpu_count() >= 1);
    CHECK(process_cpu_count() <= cpu_count());
  }

  TEST_CASE_FIXTURE(LeakCheck, "variables of the environment are found, or not") {
    CHECK(environment_variable("PATH").has_value());
    CHECK_FALSE(environment_variable("MULTIPROCESSING_NO_SUCH_NAME").has_value());
    CHECK_FALSE(environment_variable("").has_value());
  }

  TEST_CASE_FIXTURE(LeakCheck, "any title is accepted") {
    for (const auto& title : {std::string("contract test"), std::string(), std::string(10'000, 'x')})
      set_process_title(title);
    CHECK(must(command_line()).size() > 0);
  }

  TEST_CASE_FIXTURE(LeakCheck, "threads are counted exactly") {
    if (!thread_count()) {
      skip("the system does not count threads");
      return;
    }
    const auto one_more = [] {
      const int before = thread_count().value();
      const Wakeup go_on = must(Wakeup::create());
      auto thread = std::async(std::launch::async, [&] { must(wait_one(go_on.waitable(), patience())); });
      const int with_it = thread_count().value();
      go_on.notify();
      thread.get();
      return before >= 1 && with_it == before + 1;
    };
    CHECK(eventually(one_more));  // a thread of an earlier test may still have been counted
  }

  TEST_CASE_FIXTURE(LeakCheck, "handles are counted exactly, below the limit") {
    const auto before = open_handle_count();
    if (!before) {
      skip("the system does not count handles");
      return;
    }
    {
      const Wakeup one = must(Wakeup::create());
      const Handle two(must(duplicate_handle(one.waitable())));
      const Handle three(must(duplicate_handle(one.waitable())));
      CHECK(open_handle_count().value() >= *before + 3);
    }
    CHECK(open_handle_count() == before);
    if (const auto limit = handle_limit()) CHECK(*limit >= static_cast<std::uint64_t>(*before));
  }

  TEST_CASE_FIXTURE(LeakCheck, "work runs in a thread of its own, which goes away") {
    for (int i = 0; i < 20; ++i) {
      const auto where = std::make_shared<std::promise<std::thread::id>>();
      auto future = where->get_future();
      must(run_in_background([where] { where->set_value(std::this_thread::get_id()); }));
      CHECK(future.get() != std::this_thread::get_id());
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "what the work holds is let go when it has run") {
    const auto held = std::make_shared<int>(1);
    must(run_in_background([held] {}));
    CHECK(eventually([&] { return held.use_count() == 1; }));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a thread in the background has as much stack as the first one, if it is to") {
    const auto depth = std::make_shared<std::promise<std::size_t>>();
    auto future = depth->get_future();
    must(run_in_background([depth] { depth->set_value(use_stack(std::size_t{3} << 19)); },
                           StackSize::as_first));
    CHECK(future.get() == use_stack(std::size_t{3} << 19));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a thread in the background takes no signals") {
    if (!capabilities().signals) {
      skip("processes have no signals here");
      return;
    }
    auto child = start(raises_in_background);
    CHECK(child.join() == exited(33));
  }
}

}  // namespace multiprocessing::platform::system_tests
