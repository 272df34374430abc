// The fault plan of test builds: which call fails, when, and how often it was made.
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "contract/fault.hpp"
#include "contract/look.hpp"
#include "contract/process.hpp"
#include "test_support/clean_plan.hpp"
#include "test_support/results.hpp"

namespace multiprocessing::platform::fault_plan_tests {
namespace {

test_support::Outcome pass(Call call) {
  const auto fault = fault_point(call);
  if (!fault) return test_support::success;
  return fault->condition;
}

using test_support::CleanPlan;
using test_support::success;

}  // namespace

TEST_SUITE("unit.fault_plan") {
  TEST_CASE("the table has one row for each call, in order, under a name of its own") {
    std::set<std::string> names;
    for (std::size_t i = 0; i < fault_table.size(); ++i) {
      CHECK(static_cast<std::size_t>(fault_table[i].call) == i);
      CHECK(&fault_row(fault_table[i].call) == &fault_table[i]);
      names.insert(fault_table[i].name);
      const auto conditions = fault_table[i].distinct();
      CHECK(std::set<Condition>(conditions.begin(), conditions.end()).size() == conditions.size());
    }
    CHECK(names.size() == fault_table.size());
    CHECK(fault_row(Call::wait_one).distinct().size() == 1);
    CHECK(fault_row(Call::launch).distinct().size() == 7);
  }

  TEST_CASE_FIXTURE(CleanPlan, "without a plan nothing fails, and calls are counted") {
    for (int i = 0; i < 3; ++i) CHECK(pass(Call::launch) == success);
    CHECK(fault_plan::count(Call::launch) == 3);
    CHECK(fault_plan::count(Call::wait_one) == 0);
    CHECK(fault_plan::injected() == 0);
  }

  TEST_CASE_FIXTURE(CleanPlan, "the call that was meant fails, once") {
    CHECK(pass(Call::launch) == success);
    fault_plan::fail(Call::launch, 2, Condition::out_of_memory);
    CHECK(pass(Call::launch) == success);
    CHECK(pass(Call::wait_any) == success);
    CHECK(pass(Call::launch) == Condition::out_of_memory);
    CHECK(pass(Call::launch) == success);
    CHECK(fault_plan::injected() == 1);
    CHECK(fault_plan::count(Call::launch) == 4);
  }

  TEST_CASE_FIXTURE(CleanPlan, "as long as a plan counts reads nobody looks by reading again and again") {
    CHECK(may_look());
    fault_plan::fail(Call::channel_read, 2, Condition::broken);
    CHECK_FALSE(may_look());
    CHECK(pass(Call::channel_read) == success);
    CHECK_FALSE(may_look());
    CHECK(pass(Call::channel_read) == Condition::broken);
    CHECK(may_look());
    fault_plan::fail(Call::channel_write, 1, Condition::broken);
    CHECK(may_look());
  }

  TEST_CASE_FIXTURE(CleanPlan, "an injected error names its call") {
    fault_plan::fail(Call::stream_pipe, 1, Condition::out_of_handles);
    const auto fault = fault_point(Call::stream_pipe);
    REQUIRE(fault.has_value());
    CHECK(std::string(fault->call) == "stream_pipe");
    CHECK(fault->native == 0);
  }

  TEST_CASE_FIXTURE(CleanPlan, "clearing forgets plans, counts and cuts") {
    fault_plan::fail(Call::launch, 1, Condition::out_of_memory);
    fault_plan::cut(Call::channel_read, 1);
    static_cast<void>(fault_point(Call::wait_one));
    fault_plan::clear();
    CHECK(pass(Call::launch) == success);
    CHECK(fault_cut(Call::channel_read, 100) == 100);
    CHECK(fault_plan::count(Call::wait_one) == 0);
  }

  TEST_CASE_FIXTURE(CleanPlan,
                    "a write that breaks off gets so many bytes of both its parts, and never all") {
    const std::array<std::byte, 10> bytes{};
    const std::span<const std::byte> all = bytes;
    const auto left_of = [&](std::size_t at) {
      fault_plan::break_off(2, at);
      CHECK(pass(Call::channel_write) == success);
      auto head = all.first(4), body = all.first(6);
      CHECK_FALSE(fault_break(head, body));
      CHECK(head.size() + body.size() == 10);
      CHECK(pass(Call::channel_write) == success);
      CHECK(fault_break(head, body));
      return std::pair(head.size(), body.size());
    };
    using Sizes = std::pair<std::size_t, std::size_t>;
    CHECK(left_of(0) == Sizes(0, 0));
    CHECK(left_of(3) == Sizes(3, 0));
    CHECK(left_of(7) == Sizes(4, 3));
    CHECK(left_of(99) == Sizes(4, 5));
    CHECK(fault_plan::injected() == 4);
    CHECK(fault_plan::parse("channel_write:1:break=7"));
    CHECK_FALSE(fault_plan::parse("channel_write:1:break="));
    CHECK_FALSE(fault_plan::parse("channel_read:1:break=7"));
    fault_plan::clear();
    auto head = all, body = all;
    CHECK(pass(Call::channel_write) == success);
    CHECK_FALSE(fault_break(head, body));
  }

  TEST_CASE_FIXTURE(CleanPlan, "a cut shortens what is longer") {
    fault_plan::cut(Call::channel_write, 3);
    CHECK(fault_cut(Call::channel_write, 100) == 3);
    CHECK(fault_cut(Call::channel_write, 2) == 2);
    CHECK(fault_cut(Call::channel_read, 100) == 100);
    fault_plan::cut(Call::channel_write, 0);
    CHECK(fault_cut(Call::channel_write, 100) == 100);
  }

  TEST_CASE_FIXTURE(CleanPlan, "a plan is read from text") {
    CHECK(fault_plan::parse("launch:1:out_of_memory,wait_one:2:timed_out,channel_read:cut:7"));
    CHECK(pass(Call::launch) == Condition::out_of_memory);
    CHECK(pass(Call::wait_one) == success);
    CHECK(pass(Call::wait_one) == Condition::timed_out);
    CHECK(fault_cut(Call::channel_read, 100) == 7);
    CHECK(fault_plan::parse(""));
  }

  TEST_CASE_FIXTURE(CleanPlan, "text that makes no sense is refused") {
    for (const char* text :
         {"launch", "launch:", "launch:1", "launch:1:", "launch:0:broken", "launch:x:broken",
          "launch:-1:broken", "launch:1:no_condition", "no_call:1:broken", "launch:cut:", "launch:cut:x",
          "launch:1:broken:more", "launch:1:broken,nonsense"}) {
      CAPTURE(text);
      CHECK_FALSE(fault_plan::parse(text));
      fault_plan::clear();
    }
  }

  TEST_CASE_FIXTURE(CleanPlan, "each injected failure adds a byte to the file that is named for it") {
    const auto file =
        std::filesystem::temp_directory_path() / ("mp_fault_mark_" + std::to_string(current_pid()));
    std::filesystem::remove(file);
    fault_plan::mark_in(file.string().c_str());
    fault_plan::fail(Call::launch, 1, Condition::out_of_memory);
    fault_plan::fail(Call::wait_one, 1, Condition::out_of_memory);
    CHECK(pass(Call::launch) == Condition::out_of_memory);
    CHECK(std::filesystem::file_size(file) == 1);
    CHECK(pass(Call::launch) == success);
    CHECK(pass(Call::wait_one) == Condition::out_of_memory);
    CHECK(std::filesystem::file_size(file) == 2);
    fault_plan::clear();
    fault_plan::fail(Call::launch, 1, Condition::out_of_memory);
    CHECK(pass(Call::launch) == Condition::out_of_memory);
    CHECK(std::filesystem::file_size(file) == 2);
    std::filesystem::remove(file);
  }

  TEST_CASE("no fallback is forced that nobody named") {
    CHECK_FALSE(forced("no-such-fallback"));
    CHECK_FALSE(forced(","));
  }
}

}  // namespace multiprocessing::platform::fault_plan_tests
