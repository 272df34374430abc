// The smallest program: a function runs in another process.
#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>

namespace mp = multiprocessing;

void greet(std::string name) { std::cout << "hello " << name << '\n'; }

int main() {
  mp::freeze_support();
  mp::Process p(greet, "bob");
  p.start();
  p.join();
  return p.exitcode().value();
}
