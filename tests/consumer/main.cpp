// A foreign program: runs a function in another process, and wants its exit code and its output's order.
#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace mp = multiprocessing;

void greet(const std::string& name, const std::vector<int>& numbers) {
  int sum = 0;
  for (const int number : numbers) sum += number;
  std::cout << "hello " << name << ' ' << sum << std::endl;
  mp::exit(sum);
}

int main() {
  mp::freeze_support();
  mp::SpawnProcess child(greet, "consumer", std::vector<int>{1, 2, 39});
  child.start();
  child.join();
  std::cout << "exit code " << child.exitcode().value_or(-1) << std::endl;
  return child.exitcode() == 42 ? 0 : 1;
}
