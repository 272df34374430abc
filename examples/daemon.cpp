// What becomes of children when main() returns: daemonic ones are ended, the others are waited for.
#include <multiprocessing/multiprocessing.hpp>

#include <array>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>

namespace mp = multiprocessing;

void serve_for_ever() {
  std::cout << "daemon: serves" << std::endl;
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

void save_at_the_end() {
  std::string line;
  std::getline(std::cin, line);  // to the end of file, which is when main closes its end
  std::cout << "non-daemon: saved everything" << std::endl;
}

int main() {
  mp::freeze_support();
  mp::Process server({.name = "server", .daemon = true, .standard_output = mp::Stdio::pipe}, serve_for_ever);
  mp::Process saver({.name = "saver", .standard_input = mp::Stdio::pipe}, save_at_the_end);
  server.start();
  saver.start();

  std::array<std::byte, 64> said{};
  const std::size_t size = server.standard_output().read_some(said);
  std::cout << std::string(reinterpret_cast<const char*>(said.data()), size);
  std::cout << "children: " << mp::active_children().size() << '\n';
  std::cout << "main: returns without join()" << std::endl;
  saver.standard_input().close();
}
