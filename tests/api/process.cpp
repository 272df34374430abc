// The life of a Process: start, run, join, the look at it before, meanwhile and after.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace api_process {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::LeakCheck;
using mp::test_support::with_each_start_method;

void do_nothing() {}
void exit_with(int code) { mp::exit(code); }
void say_length(mp::Connection connection, std::string text) { connection.send(text.size()); }
void wait_for_ever() { mp::connection::wait({mp::parent_process()->sentinel()}); }
void wait_for_stop() {
  try {
    mp::connection::wait({mp::parent_process()->sentinel()}, mp::infinite, mp::stop_token());
  } catch (const mp::CancelledError&) {
    mp::exit(42);
  }
}

/// In a daemonic process: 0 if it may have children only while it says that it is none.
void be_ordinary_for_a_while() {
  auto& self = mp::current_process();
  const auto refused = [] {
    mp::Process child(do_nothing);
    if (!child.daemon()) return false;
    try {
      child.start();
    } catch (const mp::AssertionError&) {
      return true;
    }
    return false;
  };
  if (!self.daemon() || !refused()) mp::exit(1);
  self.set_daemon(false);
  mp::Process child(exit_with, 7);
  if (self.daemon() || child.daemon()) mp::exit(2);
  child.start();
  child.join();
  self.set_daemon(true);
  mp::exit(child.exitcode() == 7 && refused() ? 0 : 3);
}

template <class Member>
std::string refusal_of(Member member) {
  try {
    member();
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

TEST_SUITE("api.process") {
  TEST_CASE_FIXTURE(LeakCheck, "a process starts, runs and is joined") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(exit_with, 7);
      CHECK_FALSE(p.is_alive());
      CHECK(p.pid() == std::nullopt);
      CHECK(p.exitcode() == std::nullopt);
      CHECK(p.exit_kind() == mp::ExitKind::not_started);
      CHECK(p.exit_reason() == "not started");
      p.start();
      REQUIRE(p.pid());
      CHECK(*p.pid() > 0);
      p.join();
      CHECK_FALSE(p.is_alive());
      CHECK(p.exitcode() == 7);
      CHECK(p.exit_kind() == mp::ExitKind::exited);
      CHECK(p.exit_reason() == "exit 7");
      CHECK(p.exception() == nullptr);
      p.join();
      CHECK(p.join(0s));
    });
  }

  TEST_CASE("a target that returns ends with exit code 0, whatever it returns") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process([] { return 3; });
      p.start();
      p.join();
      CHECK(p.exitcode() == 0);
    });
  }

  TEST_CASE("a running process is alive, has no exit code, and join gives up in time") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(wait_for_ever);
      p.start();
      CHECK(p.is_alive());
      CHECK(p.exitcode() == std::nullopt);
      CHECK(p.exit_kind() == mp::ExitKind::running);
      CHECK(p.exit_reason() == "running");
      CHECK_FALSE(p.join(1ms));
      CHECK_FALSE(p.join(0s));
      CHECK_FALSE(p.join(-1s));
      p.kill();
      CHECK(p.join(std::chrono::hours::max()));
      CHECK(p.exitcode() == -9);
    });
  }

  TEST_CASE("terminate and kill show as -15 and -9 on every system") {
    with_each_start_method([](mp::Context& context) {
      auto terminated = context.Process(wait_for_ever);
      auto killed = context.Process(wait_for_ever);
      terminated.start();
      killed.start();
      terminated.terminate();
      killed.kill();
      terminated.join();
      killed.join();
      CHECK(terminated.exitcode() == -15);
      CHECK(killed.exitcode() == -9);
      CHECK(terminated.exit_kind() == mp::ExitKind::signalled);
      CHECK(terminated.exit_reason().find("15") != std::string::npos);
      terminated.terminate();
      terminated.interrupt();
      killed.kill();
      CHECK(killed.exitcode() == -9);
    });
  }

  TEST_CASE("stop asks first: the child's stop token is set") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(wait_for_stop);
      p.start();
      p.stop(30s);
      CHECK(p.exitcode() == 42);
    });
  }

  TEST_CASE("stop escalates when the child does not listen") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(wait_for_ever);
      p.start();
      p.stop(10ms);
      REQUIRE(p.exitcode());
      CHECK(*p.exitcode() < 0);
    });
  }

  TEST_CASE("join with a token gives up when the token is set") {
    auto p = mp::Process(wait_for_ever);
    p.start();
    mp::StopSource source;
    std::thread later([&] { source.request_stop(); });
    CHECK_THROWS_AS(p.join(source.token()), mp::CancelledError);
    later.join();
    CHECK(p.is_alive());
    p.kill();
    p.join();
  }

  TEST_CASE("misuse has the errors that the documentation names") {
    mp::Process p(do_nothing);
    CHECK_THROWS_AS(p.join(), mp::AssertionError);
    CHECK_THROWS_AS(p.join(1s), mp::AssertionError);
    CHECK_THROWS_AS(p.terminate(), mp::AssertionError);
    CHECK_THROWS_AS(p.kill(), mp::AssertionError);
    CHECK_THROWS_AS(p.interrupt(), mp::AssertionError);
    CHECK_THROWS_AS(p.stop(1s), mp::AssertionError);
    CHECK_THROWS_AS(static_cast<void>(p.sentinel()), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(p.standard_output()), mp::ValueError);
    p.start();
    CHECK_THROWS_AS(p.start(), mp::AssertionError);
    CHECK_THROWS_AS(p.set_daemon(true), mp::AssertionError);
    CHECK_THROWS_AS(p.set_authkey("key"), mp::AssertionError);
    p.join();
    CHECK_THROWS_AS(p.start(), mp::AssertionError);
    CHECK_THROWS_AS(mp::current_process().start(), mp::AssertionError);
    CHECK_THROWS_AS(mp::current_process().join(), mp::AssertionError);
    CHECK(mp::current_process().is_alive());
  }

  TEST_CASE("the current process may make itself daemonic, and ordinary again") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(mp::ProcessOptions{.daemon = true}, be_ordinary_for_a_while);
      p.start();
      p.join();
      CHECK(p.exitcode() == 0);
      CHECK(p.daemon());
    });
    mp::current_process().set_daemon(true);
    CHECK(mp::current_process().daemon());
    mp::Process p(do_nothing);
    CHECK(p.daemon());
    CHECK_THROWS_AS(p.start(), mp::AssertionError);
    mp::current_process().set_daemon(false);
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
  }

  TEST_CASE("a refusal names the process and the member that was called") {
    auto& self = mp::current_process();
    for (const auto& text :
         {refusal_of([&] { self.start(); }), refusal_of([&] { static_cast<void>(self.sentinel()); }),
          refusal_of([&] { static_cast<void>(self.standard_output()); })})
      CHECK_MESSAGE(text.find("'" + self.name() + "'") != std::string::npos, text);
    mp::Process p(do_nothing);
    p.close();
    CHECK(refusal_of([&] { static_cast<void>(p.exit_reason()); }).starts_with("exit_reason()"));
    CHECK(refusal_of([&] { static_cast<void>(p.exit_kind()); }).starts_with("exit_kind()"));
  }

  TEST_CASE("close lets go of a process that has ended, and refuses one that runs") {
    auto p = mp::Process(wait_for_ever);
    p.start();
    CHECK_THROWS_AS(p.close(), mp::ValueError);
    p.kill();
    p.join();
    p.close();
    p.close();
    CHECK_THROWS_AS(p.join(), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(p.is_alive()), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(p.exitcode()), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(p.pid()), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(p.name()), mp::ValueError);
    CHECK_THROWS_AS(p.terminate(), mp::ValueError);
    CHECK_THROWS_AS(p.start(), mp::ValueError);
  }

  TEST_CASE("close before start is the end of the object, too") {
    mp::Process p(do_nothing);
    p.close();
    CHECK_THROWS_AS(p.start(), mp::ValueError);
  }

  TEST_CASE("a process object can be moved while the process runs") {
    mp::Process first(wait_for_ever);
    first.start();
    const auto pid = first.pid();
    mp::Process second(std::move(first));
    CHECK(second.pid() == pid);
    std::vector<mp::Process> many;
    many.push_back(std::move(second));
    many[0].kill();
    many[0].join();
    CHECK(many[0].exitcode() == -9);
  }

  TEST_CASE("a process object that was moved from refuses every member") {
    mp::Process first(do_nothing);
    const mp::Process second(std::move(first));
    CHECK_THROWS_AS(first.start(), mp::ValueError);
    CHECK_THROWS_AS(first.run(), mp::ValueError);
    CHECK_THROWS_AS(first.join(), mp::ValueError);
    CHECK_THROWS_AS(first.close(), mp::ValueError);
    CHECK_THROWS_AS(first.set_name("gone"), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(first.is_alive()), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(first.pid()), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(first.sentinel()), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(first.exception()), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(first.standard_output()), mp::ValueError);
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "run() calls the target here, again and again, and leaves the arguments alone") {
    auto [near, far] = mp::Pipe();
    {
      mp::SpawnProcess p(say_length, std::move(far), std::string("four"));
      p.run();
      p.run();
      p.start();
      p.join();
      CHECK(p.exitcode() == 0);
    }
    for (int i = 0; i < 3; ++i) CHECK(near.recv<std::size_t>() == 4);
    CHECK_THROWS_AS((void)near.recv<std::size_t>(), mp::EOFError);
  }

  TEST_CASE("a process without a target does nothing") {
    with_each_start_method([](mp::Context& context) {
      mp::set_start_method(context.get_start_method(), true);
      mp::Process p;
      p.start();
      p.join();
      CHECK(p.exitcode() == 0);
    });
    mp::set_start_method(mp::get_all_start_methods().front(), true);
  }

  TEST_CASE("active_children lists what runs, and joins what has ended") {
    CHECK(mp::active_children().empty());
    mp::Process running(wait_for_ever);
    mp::Process ended(do_nothing);
    running.start();
    ended.start();
    ended.join();
    auto children = mp::active_children();
    REQUIRE(children.size() == 1);
    CHECK(children[0].pid() == running.pid());
    CHECK(children[0].name() == running.name());
    children[0].kill();
    running.join();
    CHECK(mp::active_children().empty());
  }

  TEST_CASE("a child outlives its object and stays in active_children") {
    {
      mp::Process p(wait_for_ever);
      p.start();
    }
    auto children = mp::active_children();
    REQUIRE(children.size() == 1);
    children[0].kill();
    children[0].join();
    CHECK(children[0].exitcode() == -9);
  }

  TEST_CASE_FIXTURE(LeakCheck, "many processes run at once, and many one after another, and leave nothing") {
    with_each_start_method([](mp::Context& context) {
      std::vector<mp::Process> processes;
      for (int i = 0; i < 12; ++i) processes.push_back(context.Process(exit_with, i));
      for (auto& p : processes) p.start();
      for (int i = 0; i < 12; ++i) {
        processes[static_cast<std::size_t>(i)].join();
        CHECK(processes[static_cast<std::size_t>(i)].exitcode() == i);
      }
      for (int i = 0; i < 12; ++i) {
        auto p = context.Process(do_nothing);
        p.start();
        p.join();
      }
    });
  }

  TEST_CASE("several threads start processes at the same time") {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([] {
        for (int code = 0; code < 5; ++code) {
          mp::SpawnProcess p(exit_with, code);
          p.start();
          p.join();
          CHECK(p.exitcode() == code);
        }
      });
    for (auto& thread : threads) thread.join();
  }
}

}  // namespace api_process
