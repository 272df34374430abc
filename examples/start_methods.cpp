// Two of the three ways in which a child comes into being, spawn and fork, and what each brings along of its
// parent. The third, forkserver, is seen as spawn is: a child of it has nothing of its parent either.
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

namespace mp = multiprocessing;

int visits = 0;

int visits_seen() { return visits; }

int main() {
  mp::freeze_support();
  visits = 3;

  const std::vector<std::string> methods = mp::get_all_start_methods();
  for (const std::string method : {"spawn", "fork"}) {
    if (std::find(methods.begin(), methods.end(), method) == methods.end()) {
      std::cout << method << ": not on this system" << std::endl;
      continue;
    }
    mp::Context& context = mp::get_context(method);
    std::cout << method << ": the child sees " << context.call(visits_seen) << " visits" << std::endl;
  }

  mp::set_start_method("spawn");
  mp::Process p([] { std::cout << "this child was spawned" << std::endl; });
  p.start();
  p.join();
  std::cout << "the default is " << mp::get_start_method() << std::endl;
}
