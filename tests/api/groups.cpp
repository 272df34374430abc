// Spawn groups: all succeed, or the first failure stops the others and is thrown.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

#include "test_support/abilities.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace api_groups {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::LeakCheck;

void wait_for_the_end() { mp::connection::wait({mp::parent_process()->sentinel()}); }
void succeed(int index, int expected) {
  if (index >= expected) mp::exit(9);
}
void second_throws(int index) {
  if (index == 1) throw std::domain_error("number one");
  wait_for_the_end();
}
void second_exits(int index) {
  if (index == 1) mp::exit(7);
  wait_for_the_end();
}
void second_crashes(int index) {
  if (index == 1) std::raise(SIGSEGV);
  wait_for_the_end();
}
void first_ends_others_wait(int index) {
  if (index > 0) wait_for_the_end();
}
void first_fails_others_wait(int index) {
  if (index == 0) mp::exit(7);
  wait_for_the_end();
}
void wait_all(int) { wait_for_the_end(); }

mp::StopSource* asked_to_stop = nullptr;

/// Written for the second process of a group, it gives the group up.
struct StopsTheStart {
  template <class Archive>
  void save(Archive& archive) const {
    static int written = 0;
    if (++written == 2) asked_to_stop->request_stop();
    archive(written);
  }
  template <class Archive>
  void load(Archive& archive) {
    int written = 0;
    archive(written);
  }
};
void wait_after_reading(int, StopsTheStart) { wait_for_the_end(); }

TEST_SUITE("api.groups") {
  TEST_CASE_FIXTURE(LeakCheck, "a group that succeeds") {
    auto group = mp::spawn(succeed, std::tuple(3), {.nprocs = 3});
    CHECK(group.join());
    CHECK(group.join(0s));
    CHECK(group.pids().size() == 3);
    CHECK(group.processes().at(2).exitcode() == 0);
    mp::test_support::with_each_start_method([](mp::Context& context) {
      CHECK(context.start_processes(succeed, std::tuple(2), {.nprocs = 2}).join());
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "the first that throws stops the others") {
    try {
      mp::spawn(second_throws, {.nprocs = 3, .grace = 20s});
      FAIL("the failure is thrown");
    } catch (const mp::ProcessRaisedException& raised) {
      CHECK(raised.error_index() == 1);
      CHECK(raised.error_pid() > 0);
      CHECK(raised.type_name() == "std::domain_error");
      const std::string text = raised.what();
      CHECK(text.find("std::domain_error: number one") != std::string::npos);
      if (mp::test_support::names_throws())
        CHECK_MESSAGE(text.find("second_throws") != std::string::npos, text);
    }
    CHECK(mp::active_children().empty());
  }

  TEST_CASE("the first that exits, and the first that crashes") {
    try {
      mp::spawn(second_exits, {.nprocs = 2});
      FAIL("the failure is thrown");
    } catch (const mp::ProcessExitedException& exited) {
      CHECK(exited.error_index() == 1);
      CHECK(exited.exit_code() == 7);
      CHECK_FALSE(exited.signal_name());
    }
    try {
      mp::spawn(second_crashes, {.nprocs = 2});
      FAIL("the failure is thrown");
    } catch (const mp::ProcessException& failed) {
      CHECK(failed.error_index() == 1);
      const auto* exited = dynamic_cast<const mp::ProcessExitedException*>(&failed);
      REQUIRE(exited);
      if (mp::test_support::has_signals()) CHECK(exited->signal_name() == "SIGSEGV");
    }
  }

  TEST_CASE("join with a time limit says whether all have ended") {
    auto group = mp::spawn(wait_all, {.nprocs = 2, .join = false, .daemon = true});
    CHECK_FALSE(group.join(1ms));
    for (auto& process : group.processes()) {
      CHECK(process.daemon());
      process.kill();
    }
    CHECK_THROWS_AS(group.join(), mp::ProcessExitedException);
    CHECK(mp::active_children().empty());
  }

  TEST_CASE("waiting for a group can be given up; its processes are stopped") {
    mp::StopSource source;
    source.request_stop();
    CHECK_THROWS_AS(mp::spawn(wait_all, {.nprocs = 2, .stop = source.token()}), mp::CancelledError);
    CHECK(mp::active_children().empty());
  }

  TEST_CASE("starting a group can be given up, too; what was started is stopped") {
    mp::StopSource before;
    before.request_stop();
    CHECK_THROWS_AS(mp::spawn(wait_all, {.nprocs = 2, .join = false, .stop = before.token()}),
                    mp::CancelledError);
    CHECK(mp::active_children().empty());
    mp::StopSource meanwhile;
    asked_to_stop = &meanwhile;
    CHECK_THROWS_AS(mp::spawn(wait_after_reading, std::tuple(StopsTheStart()),
                              {.nprocs = 3, .join = false, .stop = meanwhile.token()}),
                    mp::CancelledError);
    CHECK(mp::active_children().empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a process that its user closed, or took out of the group, still counts") {
    auto group = mp::spawn(first_ends_others_wait, {.nprocs = 3, .join = false, .daemon = true});
    const auto pids = group.pids();
    group.processes()[0].join();
    group.processes()[0].close();
    mp::Process second = std::move(group.processes()[1]);
    CHECK_FALSE(group.join(0s));
    CHECK(group.pids() == pids);
    second.kill();
    second.join();
    try {
      group.join();
      FAIL("the second was killed");
    } catch (const mp::ProcessExitedException& exited) {
      CHECK(exited.error_index() == 1);
      CHECK(exited.error_pid() == pids[1]);
    }
    CHECK(mp::active_children().empty());
  }

  TEST_CASE("a process that failed and was closed is the group's failure; the others are stopped") {
    auto group = mp::spawn(first_fails_others_wait, {.nprocs = 3, .join = false, .daemon = true});
    const auto pids = group.pids();
    group.processes()[0].join();
    group.processes()[0].close();
    try {
      group.join();
      FAIL("the failure is thrown");
    } catch (const mp::ProcessExitedException& exited) {
      CHECK(exited.error_index() == 0);
      CHECK(exited.error_pid() == pids[0]);
      CHECK(exited.exit_code() == 7);
    }
    CHECK(mp::active_children().empty());
  }

  TEST_CASE("a group that was moved from refuses every member") {
    auto group = mp::spawn(succeed, std::tuple(1), {.join = false});
    mp::ProcessContext moved = std::move(group);
    CHECK_THROWS_AS(group.join(), mp::ValueError);
    CHECK_THROWS_AS(group.join(0s), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(group.pids()), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(group.processes()), mp::ValueError);
    CHECK(moved.join());
  }

  TEST_CASE("a group of nobody is refused, as is an unknown start method") {
    CHECK_THROWS_AS(mp::spawn(wait_all, {.nprocs = 0}), mp::ValueError);
    CHECK_THROWS_AS(mp::start_processes(wait_all, std::tuple(), {.start_method = "teleport"}),
                    mp::ValueError);
  }

  TEST_CASE("no arguments are an empty tuple, or none, or braces that mean the options") {
    constexpr auto one = [](int) {};
    CHECK(mp::spawn(one).pids().size() == 1);
    CHECK(mp::spawn(one, {}).pids().size() == 1);
    CHECK(mp::spawn(one, {.nprocs = 2}).pids().size() == 2);
    CHECK(mp::spawn(one, std::tuple()).pids().size() == 1);
    CHECK(mp::spawn(one, std::tuple(), {.nprocs = 2}).pids().size() == 2);
    CHECK(mp::get_context().spawn(one, {.nprocs = 2}).pids().size() == 2);
  }
}

}  // namespace api_groups
