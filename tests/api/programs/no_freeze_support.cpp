// ctest:
// A main() that forgot freeze_support(): start() says so and starts nothing, so that no program becomes a
// fork bomb, also when it names itself as what is to be started. A child that does not become one starts
// nothing either, by whatever name.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>

#include "own_program.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

namespace {

constexpr int refused = 4;
const std::string argument_of_children = "--multiprocessing-fork";
const std::string by_bare_name = "--by-bare-name";

int start() {
  mp::SpawnProcess p([] {});
  try {
    p.start();
  } catch (const mp::RuntimeError& error) {
    const bool names_the_line = std::string(error.what()).find("freeze_support()") != std::string::npos;
    return names_the_line && !p.pid() && mp::active_children().empty() ? refused : 1;
  }
  std::puts("start() went on");
  return 2;
}

/// What this program is called where PATH leads to it.
std::string bare_name(const char* own) { return std::filesystem::path(own).stem().string(); }

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2) {
    std::puts("a second process was started");
    return 3;
  }
  if (argc > 1 && argv[1] == by_bare_name) {
    mp::set_executable(bare_name(argv[0]));
    return start();
  }
  if (argc > 1) {
    mp::set_executable("a name that does not tell which program it is");
    return start();
  }
  int wrong = start() == refused ? 0 : 1;
  const auto self = std::filesystem::absolute(argv[0]);
  if (!own_program::emulated() && own_program::run(self, argument_of_children) != refused) ++wrong;
  if (!own_program::emulated() && own_program::run(self, by_bare_name, true) != refused) ++wrong;
  return mp::test_support::verdict(wrong);
}
