// What a process knows of itself and of its parent: names, numbers, daemons, keys, and whose objects are
// whose.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "test_support/start_methods.hpp"

namespace api_identity {

namespace mp = multiprocessing;
using mp::test_support::with_each_start_method;

struct Facts {
  std::string name;
  int pid = 0;
  bool daemon = false;
  std::string parent_name;
  int parent_pid = 0;
  bool parent_alive = false;
  std::vector<std::byte> authkey;
  std::string start_method;
};

Facts facts() {
  const auto parent = mp::parent_process();
  return {mp::current_process().name(),
          mp::current_process().pid().value(),
          mp::current_process().daemon(),
          parent.value().name(),
          parent->pid(),
          parent->is_alive(),
          mp::current_process().authkey(),
          mp::get_start_method()};
}

std::string grandchild_name() {
  mp::Process p([] {});
  return p.name();
}

int start_a_child() {
  mp::Process p([] {});
  try {
    p.start();
  } catch (const mp::AssertionError&) {
    return 1;
  }
  p.join();
  return 0;
}
void exit_with_start_a_child() { mp::exit(start_a_child()); }

int use_of_parents_object(mp::Process* process) {
  try {
    static_cast<void>(process->is_alive());
  } catch (const mp::AssertionError&) {
    return 0;
  }
  return 1;
}

struct ParentFacts {
  int pid = 0;
  std::string name;
  bool alive = false;
};

ParentFacts facts_of_parent() {
  const auto parent = mp::parent_process();
  return {parent->pid(), parent->name(), parent->is_alive()};
}

void tell_of_parent(mp::Connection line) {
  line.send(facts_of_parent());
  mp::parent_process()->join();
  line.send(facts_of_parent());
}

void leave_a_child(std::string method, mp::Connection line) {
  mp::ProcessOptions options;
  options.on_parent_death = mp::OnParentDeath::keep_running;
  auto p = mp::get_context(method).Process(std::move(options), tell_of_parent, std::move(line));
  p.start();
  mp::connection::wait({mp::parent_process()->sentinel()});
}

TEST_SUITE("api.identity") {
  TEST_CASE("the main program is MainProcess and has no parent of ours") {
    CHECK(mp::current_process().name() == "MainProcess");
    CHECK_FALSE(mp::parent_process());
    CHECK_FALSE(mp::current_process().daemon());
    CHECK(mp::current_process().authkey().size() == 32);
    CHECK_FALSE(mp::stop_token().stop_requested());
    CHECK_THROWS_AS(mp::current_process().close(), mp::ValueError);
  }

  TEST_CASE("a child knows its name, its parent and the key") {
    with_each_start_method([](mp::Context& context) {
      const auto child = context.call(facts);
      CHECK(child.name.starts_with("Process-"));
      CHECK(child.pid != mp::current_process().pid());
      CHECK_FALSE(child.daemon);
      CHECK(child.parent_name == "MainProcess");
      CHECK(child.parent_pid == mp::current_process().pid());
      CHECK(child.parent_alive);
      CHECK(child.authkey == mp::current_process().authkey());
      CHECK(child.start_method == mp::get_start_method());
    });
  }

  TEST_CASE("a name of one's own and the daemon flag reach the child") {
    with_each_start_method([](mp::Context&) {
      const auto child =
          mp::call(mp::CallOptions{.process = {.name = "worker \xC3\xA4", .daemon = true}}, facts);
      CHECK(child.name == "worker \xC3\xA4");
      CHECK(child.daemon);
    });
  }

  TEST_CASE("names count up, and children of children have two numbers") {
    mp::Process first([] {});
    mp::Process second([] {});
    CHECK(first.name() != second.name());
    first.set_name("renamed");
    CHECK(first.name() == "renamed");
    CHECK(mp::SpawnProcess([] {}).name().starts_with("SpawnProcess-"));
    with_each_start_method([](mp::Context& context) {
      const std::string name = context.call(grandchild_name);
      CHECK(name.starts_with("Process-"));
      CHECK(name.ends_with(":1"));
    });
  }

  TEST_CASE("daemon is inherited, and a daemon may not have children") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(mp::ProcessOptions{.daemon = true}, exit_with_start_a_child);
      CHECK(p.daemon());
      p.start();
      p.join();
      CHECK(p.exitcode() == 1);
      auto q = context.Process(exit_with_start_a_child);
      q.start();
      q.join();
      CHECK(q.exitcode() == 0);
    });
  }

  TEST_CASE("a key of one's own reaches the child; an empty one is refused") {
    mp::Process p([] { mp::exit(mp::current_process().authkey().size() == 3 ? 0 : 1); });
    CHECK_THROWS_AS(p.set_authkey(""), mp::ValueError);
    p.set_authkey("key");
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
  }

  TEST_CASE("of a parent that is gone the name and the pid are kept, and that it is gone") {
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = mp::Pipe();
      mp::SpawnProcess parent(mp::ProcessOptions{.name = "short-lived"}, leave_a_child,
                              context.get_start_method(), std::move(theirs));
      parent.start();
      const auto before = ours.recv<ParentFacts>();
      CHECK(before.pid == parent.pid());
      CHECK(before.name == "short-lived");
      CHECK(before.alive);
      parent.kill();
      parent.join();
      const auto after = ours.recv<ParentFacts>();
      CHECK(after.pid == before.pid);
      CHECK(after.name == "short-lived");
      CHECK_FALSE(after.alive);
    });
  }

  TEST_CASE("a forked child may not use its parent's process objects") {
    if (!mp::test_support::can_fork()) return;
    mp::Process other([] { mp::connection::wait({mp::parent_process()->sentinel()}); });
    other.start();
    mp::ForkProcess p([&other] { mp::exit(use_of_parents_object(&other)); });
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    other.kill();
    other.join();
  }

  TEST_CASE("there is at least one processor, and no more may be used than there are") {
    CHECK(mp::cpu_count() >= 1);
    CHECK(mp::process_cpu_count() >= 1);
    CHECK(mp::process_cpu_count() <= mp::cpu_count());
  }
}

}  // namespace api_identity
