// Waiting for a child: join() until it ends, join(1 s) for a while, and a later look at what became of it.
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <string>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void greet(std::string name) { std::cout << "hello " << name << std::endl; }

void wait_for_word(std::string name) {
  std::string word;
  std::getline(std::cin, word);
  std::cout << name << " heard: " << word << std::endl;
}

void look_at(const mp::Process& p) {
  std::cout << p.name() << ": " << (p.is_alive() ? "alive" : "not alive") << ", " << p.exit_reason()
            << std::endl;
}

int main() {
  mp::freeze_support();

  mp::Process bob({.name = "bob"}, greet, "bob");
  look_at(bob);
  bob.start();
  bob.join();
  look_at(bob);

  mp::Process alice({.name = "alice", .standard_input = mp::Stdio::pipe}, wait_for_word, "alice");
  alice.start();
  const bool ended = alice.join(1s);
  std::cout << "after one second: " << (ended ? "ended" : "still there") << std::endl;
  look_at(alice);

  alice.standard_input().write("good morning\n");
  alice.join();
  look_at(alice);
}
