// Waiting for several children at once: a sentinel becomes ready when its process has ended.
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void run_until_released() {
  std::string line;
  std::getline(std::cin, line);
}

int main() {
  mp::freeze_support();
  std::vector<mp::Process> runners;
  for (const char* name : {"ann", "ben", "cid"}) {
    runners.emplace_back(mp::ProcessOptions{.name = name, .standard_input = mp::Stdio::pipe},
                         run_until_released);
    runners.back().start();
  }
  std::cout << "ended at once: " << mp::connection::wait(runners, 0s).size() << std::endl;

  for (const std::size_t next : {1u, 2u, 0u}) {
    runners[next].standard_input().write("go\n");
    std::vector<mp::Sentinel> running;
    for (const mp::Process& runner : runners)
      if (runner.is_alive() || &runner == &runners[next]) running.push_back(runner.sentinel());
    for (const mp::Sentinel& ready : mp::connection::wait(running))
      for (const mp::Process& runner : runners)
        if (runner.sentinel() == ready) std::cout << runner.name() << " has ended" << std::endl;
  }
}
