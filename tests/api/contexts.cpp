// Start methods, contexts, executables and registered tasks.
// Cases that change the default put it back.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "test_support/start_methods.hpp"

namespace api_contexts {

namespace mp = multiprocessing;

int seven() { return 7; }
int eight() { return 8; }
bool was_set_by_parent = false;

TEST_SUITE("api.contexts") {
  TEST_CASE("the known start methods, and the default among them") {
    const auto methods = mp::get_all_start_methods();
    CHECK(std::ranges::count(methods, "spawn") == 1);
    CHECK(std::ranges::count(methods, mp::get_start_method()) == 1);
    CHECK(mp::get_start_method(true) == mp::get_start_method());
  }

  TEST_CASE("the start method is set once, or by force, and only to one that there is") {
    const auto before = mp::get_start_method();
    CHECK_THROWS_AS(mp::set_start_method("spawn"), mp::RuntimeError);
    mp::set_start_method("spawn", true);
    CHECK(mp::get_start_method() == "spawn");
    try {
      mp::set_start_method("teleport", true);
      FAIL("there is no such method");
    } catch (const mp::ValueError& error) {
      CHECK(std::string(error.what()).find("'teleport'") != std::string::npos);
      CHECK(std::string(error.what()).find("'spawn'") != std::string::npos);
    }
    CHECK(mp::get_start_method() == "spawn");
    CHECK(mp::call([] { return mp::get_start_method(); }) == "spawn");
    mp::set_start_method(before, true);
  }

  TEST_CASE("a context's pools and executors have its method, whatever the options say") {
    was_set_by_parent = true;
    const auto is_copy = [] { return was_set_by_parent; };
    for (const auto& method : mp::get_all_start_methods()) {
      INFO("start method: ", method);
      auto& context = mp::get_context(method);
      const mp::PoolOptions options = {.context = "teleport"};
      CHECK(context.Pool(1, options).apply(is_copy) == (method == "fork"));
      CHECK(context.ProcessPoolExecutor(1, options).submit(is_copy).result() == (method == "fork"));
    }
    was_set_by_parent = false;
  }

  TEST_CASE("a context has its own method and leaves the default alone") {
    const auto before = mp::get_start_method();
    auto& spawn = mp::get_context("spawn");
    CHECK(spawn.get_start_method() == "spawn");
    CHECK(&mp::get_context("spawn") == &spawn);
    CHECK(&spawn.get_context() == &spawn);
    CHECK_THROWS_AS(spawn.set_start_method("spawn"), mp::ValueError);
    CHECK_THROWS_AS(static_cast<void>(mp::get_context("teleport")), mp::ValueError);
    CHECK(mp::get_start_method() == before);
    CHECK(mp::get_context().get_start_method() == before);
    CHECK(spawn.cpu_count() == mp::cpu_count());
    CHECK(spawn.active_children().empty());
    CHECK_FALSE(spawn.parent_process());
    CHECK(spawn.current_process().name() == "MainProcess");
    CHECK(spawn.get_all_start_methods() == mp::get_all_start_methods());
  }

  TEST_CASE("SpawnProcess and ForkProcess are fixed to one method") {
    mp::SpawnProcess spawned([] { mp::exit(mp::parent_process() ? 0 : 1); });
    spawned.start();
    spawned.join();
    CHECK(spawned.exitcode() == 0);
    mp::ForkProcess forked([] { mp::exit(0); });
    if (mp::test_support::can_fork()) {
      forked.start();
      forked.join();
      CHECK(forked.exitcode() == 0);
    } else {
      CHECK_THROWS_AS(forked.start(), mp::ValueError);
    }
  }

  TEST_CASE("a program that is not there, or is none, is an OSError that names it, and no process") {
    if (std::getenv("MULTIPROCESSING_TEST_LAUNCHER") != nullptr)
      return;  // the executable is the emulator's then
    struct Restore {
      ~Restore() { mp::set_executable(""); }
    } restore;
    mp::set_executable("/no/such/program");
    mp::SpawnProcess p(seven);
    try {
      p.start();
      FAIL("there is no such program");
    } catch (const mp::OSError& error) {
      CHECK(error.code() == std::errc::no_such_file_or_directory);
      CHECK(std::string(error.what()).find("/no/such/program") != std::string::npos);
    }
    CHECK_FALSE(p.pid());
    CHECK(mp::active_children().empty());
  }

  TEST_CASE("a registered name stands for one task") {
    mp::register_task<seven>("seven");
    mp::register_task<seven>("seven");
    CHECK_THROWS_AS(mp::register_task<eight>("seven"), mp::ValueError);
    CHECK_THROWS_AS(mp::register_task<eight>(""), mp::ValueError);
    CHECK(mp::get_context("spawn").call(eight) == 8);
  }
}

}  // namespace api_contexts
