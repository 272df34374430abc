// ctest: timeout=300
// Handles among the arguments of a child, in several portions: one that has no room for them says so, and one
// whose parent dies before it has sent all of them ends.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/fault.hpp"
#include "contract/handle_transfer.hpp"
#include "injection.hpp"
#include "test_support/clean_plan.hpp"
#include "test_support/leak_check.hpp"

namespace faults_handles {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;
using mp::test_support::LeakCheck;
using platform::Call;

constexpr std::size_t portions = 3;
constexpr std::size_t count = (portions - 1) * platform::handles_per_transfer + 1;

std::vector<mp::Connection> many() {
  std::vector<mp::Connection> connections;
  while (connections.size() < count) connections.push_back(mp::Pipe().first);
  return connections;
}

std::size_t how_many(const std::vector<mp::Connection>& connections) {
  return static_cast<std::size_t>(
      std::ranges::count_if(connections, [](const auto& each) { return !each.closed(); }));
}

int one() { return 1; }

/// Starts a child with many handles, and `witness` among them, and ends before it has sent portion number n.
void end_while_sending(const std::string& method, mp::Connection witness, unsigned n) {
  auto& context = mp::get_context(method);
  context.call(one);  // so that its server, if it has one, is there
  auto handles = many();
  handles.push_back(std::move(witness));
  platform::fault_plan::end(Call::send_handles, method == "forkserver" ? n + 1 : n);
  context.call(how_many, std::move(handles));
}

TEST_SUITE("faults.handles") {
  TEST_CASE_FIXTURE(LeakCheck, "a child that has no room for the handles among its arguments says so") {
    const faults::Marks marks;
    mp::CallOptions options;
    auto& environment = options.process.environment.emplace(faults::plain_environment());
    environment["MULTIPROCESSING_FAULT_MARK"] = marks.path();
    for (std::size_t n = 1; n <= portions + 1; ++n) {
      CAPTURE(n);
      marks.forget();
      environment["MULTIPROCESSING_FAULT"] = "receive_handles:" + std::to_string(n) + ":out_of_handles";
      try {
        const auto came = mp::get_context("spawn").call(options, how_many, many());
        CHECK(came == count);
        CHECK(n == portions + 1);
      } catch (const mp::OSError& error) {
        CHECK(error.code() == std::errc::too_many_files_open);
        CHECK(n <= portions);
        CHECK(marks.count() == 1);
      }
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a message whose handles find no room is gone, and the connection goes on") {
    const mp::test_support::CleanPlan clean;
    for (unsigned n = 1; n <= portions; ++n) {
      CAPTURE(n);
      auto [a, b] = mp::Pipe();
      const auto sent = many();
      a.send(sent);
      a.send(5);
      platform::fault_plan::clear();
      platform::fault_plan::fail(Call::receive_handles, n, platform::Condition::out_of_handles);
      try {
        static_cast<void>(b.recv<std::vector<mp::Connection>>());
        FAIL_CHECK("no error");
      } catch (const mp::OSError& error) {
        CHECK(error.code() == std::errc::too_many_files_open);
      }
      CHECK(platform::fault_plan::injected() == 1);
      CHECK(b.recv<int>() == 5);
      a.send(sent);
      CHECK(how_many(b.recv<std::vector<mp::Connection>>()) == count);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child ends whose parent ended between the handles that it had announced") {
    for (const auto& method : mp::get_all_start_methods())
      for (unsigned n = 1; n <= portions && method != "fork"; ++n) {
        CAPTURE(method);
        CAPTURE(n);
        auto [ours, theirs] = mp::Pipe();
        mp::SpawnProcess parent(mp::ProcessOptions{.standard_output = mp::Stdio::pipe}, end_while_sending,
                                method, theirs, n);
        parent.start();
        theirs.close();
        // All that come from it hold its standard output.
        CHECK(parent.standard_output().read_all().empty());
        parent.join();
        CHECK(parent.exitcode() == platform::fault_plan::ended_here);
        CHECK_THROWS_AS(ours.recv<int>(), mp::EOFError);
      }
  }
}

}  // namespace faults_handles
