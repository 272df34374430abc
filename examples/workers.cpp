// Processes with names, what a child knows of itself and of its parent, and the library's log.
#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace mp = multiprocessing;

void work(mp::Logger log) {
  const mp::Process& self = mp::current_process();
  log.info("begins");
  std::cout << self.name() << " is a child of " << mp::parent_process()->name() << std::endl;
  log.info("ends");
}

int main() {
  mp::freeze_support();
  const mp::Logger log = mp::log_to_stderr(mp::Level::info);
  std::cout << "this is " << mp::current_process().name() << std::endl;

  std::vector<mp::Process> workers;
  workers.emplace_back(mp::ProcessOptions{.name = "stoker"}, work, log);
  workers.emplace_back(mp::ProcessOptions{.name = "helmsman"}, work, log);
  workers.emplace_back(work, log);
  for (mp::Process& worker : workers) {
    worker.start();
    worker.join();
  }
  log.info("all workers have ended");
}
