// ctest: timeout=300 cost=12
// The platform fails in a fork server and in its children, and while a server is started: the owner learns of
// it or never notices, does not wait for ever, and leaks nothing. The plan gets into the server by a
// preloaded function, and from there into its children.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "contract/capabilities.hpp"
#include "contract/fault.hpp"
#include "contract/system.hpp"
#include "injection.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"

namespace faults_server {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;

/// What a server asks of its system before and while it serves one child, and that child.
constexpr std::array<std::string_view, 20> made_by_servers = {
    "wait_either",         "wait_set_create",  "wait_set_add",
    "wait_set_wait",       "channel_adopt",    "channel_read",
    "channel_write",       "send_handles",     "receive_handles",
    "fork_process",        "arm_crash_report", "end_with_peer",
    "run_in_background",   "resolve",          "bind_standard_streams",
    "replace_environment", "change_priority",  "change_working_directory",
    "open_sentinel",       "identify"};

/// Those of them that depend on how the system watches processes.
bool may_be_made(std::string_view name) {
  return name == "open_sentinel" || name == "identify" || name == "wait_either" ||
         name == "run_in_background";
}

/// Makes a plan in the process that calls it.
struct Plan {
  std::string text;
  std::string marks;
  void operator()() const {
    platform::fault_plan::clear();
    platform::fault_plan::mark_in(marks.c_str());
    platform::fault_plan::parse(text);
  }
};

int answer() {
  return mp::stop_token().stop_requested() ? 1 : 42;  // the token's thread is another call
}

mp::CallOptions with_options_of_its_own() {
  mp::CallOptions options;
  options.process.standard_error = mp::Stdio::null;
  options.process.environment = faults::plain_environment();
  options.process.working_directory = "..";
  options.process.priority = mp::Priority::below_normal;
  return options;
}

/// Whether the failure is one that may come of a failed call.
bool reports_it(platform::Condition condition) {
  try {
    throw;
  } catch (const mp::TimeoutError&) {
    return condition == platform::Condition::timed_out;
  } catch (...) {
    return faults::reports_a_failed_call();
  }
}

/// The marks of one server: another one, which ends a little later, may still mark its own.
class MarksOfServer {
 public:
  MarksOfServer() : path_(folder() / ("server_" + std::to_string(++made_))) {}
  static void begin() { std::filesystem::create_directory(folder()); }
  static void end() {
    std::error_code held;  // by a server that is about to end
    std::filesystem::remove_all(folder(), held);
  }
  [[nodiscard]] std::string path() const { return path_.string(); }
  [[nodiscard]] bool any() const {
    std::error_code none;
    return std::filesystem::file_size(path_, none) > 0 && !none;
  }

 private:
  static std::filesystem::path folder() {
    return std::filesystem::temp_directory_path() /
           ("mp_server_marks_" + std::to_string(platform::current_pid()));
  }
  static inline int made_ = 0;
  std::filesystem::path path_;
};

void call_once(const MarksOfServer& marks, platform::Condition condition) {
  try {
    const int result = mp::get_context("forkserver").call(with_options_of_its_own(), answer);
    CHECK(result == 42);
  } catch (...) {
    if (!reports_it(condition) || !marks.any())
      FAIL_CHECK("not the report of a failed call: ", faults::current_text());
  }
  CHECK(mp::active_children().empty());
}

bool skipped() {
  if (platform::capabilities().child_handover) return false;
  mp::test_support::skip("this system does not fork");
  return true;
}

TEST_SUITE("faults.server_faults") {
  TEST_CASE("any one call fails in the fork server or in its child") {
    if (skipped()) return;
    REQUIRE(mp::get_context("forkserver").call(answer) == 42);
    MarksOfServer::begin();
    for (const auto& row : platform::fault_table)
      for (const auto condition : row.distinct()) {
        std::uint64_t n = 1;
        for (; n < 40; ++n) {
          const std::string plan =
              std::string(row.name) + ":" + std::to_string(n) + ":" + platform::name_of(condition);
          INFO(plan);
          const MarksOfServer marks;
          mp::set_forkserver_preload(Plan{plan, marks.path()});
          call_once(marks, condition);
          if (!marks.any()) break;
        }
        INFO(std::string(row.name), " fails as ", std::string(platform::name_of(condition)));
        CHECK(n < 40);
        const bool known =
            std::ranges::find(made_by_servers, std::string_view(row.name)) != made_by_servers.end();
        if (!may_be_made(row.name)) CHECK((n > 1) == known);
      }
    mp::set_forkserver_preload();
    CHECK(mp::get_context("forkserver").call(answer) == 42);
    MarksOfServer::end();
  }

  TEST_CASE("any one call fails while a server is started, which is started the next time") {
    if (skipped()) return;
    for (const auto call : {platform::Call::launch, platform::Call::executable_path, platform::Call::locate,
                            platform::Call::channel_pair, platform::Call::channel_write})
      for (const auto condition : platform::fault_row(call).distinct()) {
        INFO(std::string(platform::fault_row(call).name), " fails as ",
             std::string(platform::name_of(condition)));
        mp::set_forkserver_preload(Plan{});  // another server
        platform::fault_plan::clear();
        platform::fault_plan::fail(call, 1, condition);
        try {
          const int result = mp::get_context("forkserver").call(answer);
          CHECK(result == 42);
        } catch (...) {
          CHECK_MESSAGE(reports_it(condition), faults::current_text());
        }
        CHECK(platform::fault_plan::injected() == 1);
        platform::fault_plan::clear();
        CHECK(mp::get_context("forkserver").call(answer) == 42);
      }
    mp::set_forkserver_preload();
  }
}

}  // namespace faults_server
