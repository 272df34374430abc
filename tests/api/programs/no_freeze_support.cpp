// ctest:
// A main() that forgot freeze_support(): start() says so and starts nothing, so that no program becomes a
// fork bomb.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <string>

#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

int main(int argc, char**) {
  if (argc > 1) {
    std::puts("a second process was started");
    return 3;
  }
  mp::SpawnProcess p([] {});
  try {
    p.start();
  } catch (const mp::RuntimeError& error) {
    const bool names_the_line = std::string(error.what()).find("freeze_support()") != std::string::npos;
    return mp::test_support::verdict(names_the_line && !p.pid() && mp::active_children().empty() ? 0 : 1);
  }
  std::puts("start() went on");
  return 2;
}
