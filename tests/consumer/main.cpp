// A foreign program: runs functions in other processes, and wants an exit code, the output's order, and
// exceptions by their types: thrown in the child, and in the library.
#include <multiprocessing/multiprocessing.hpp>

#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace mp = multiprocessing;

void greet(const std::string& name, const std::vector<int>& numbers) {
  int sum = 0;
  for (const int number : numbers) sum += number;
  std::cout << "hello " << name << ' ' << sum << std::endl;
  mp::exit(sum);
}

int refuse(int x) { throw std::out_of_range("no " + std::to_string(x)); }

template <class Exception, class F>
bool throws(F f) {
  try {
    f();
  } catch (const Exception&) {
    return true;
  }
  return false;
}

int main() {
  mp::freeze_support();
  mp::SpawnProcess child(greet, "consumer", std::vector<int>{1, 2, 39});
  child.start();
  child.join();
  std::cout << "exit code " << child.exitcode().value_or(-1) << std::endl;
  mp::Pool pool(1, {.context = "spawn"});
  const bool of_child = throws<std::out_of_range>([&] { pool.apply(refuse, 7); });
  const bool of_library = throws<mp::ValueError>([] { mp::Pool none(0); });
  if (!of_child || !of_library) return 2;
  return child.exitcode() == 42 ? 0 : 1;
}
