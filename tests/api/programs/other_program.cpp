// ctest:
// Children in another executable: what is registered there under the same name runs; what is not gives an
// error that says that it is another build; a program that knows nothing of this library just ends.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "helper_program.hpp"
#include "own_program.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

namespace {

int not_registered(int x) { return x + 1; }

int failures = 0;
void check(bool good, const char* what) {
  if (good) return;
  std::printf("wrong: %s\n", what);
  ++failures;
}

void check_another_build(mp::Context& spawn) {
  try {
    spawn.call(not_registered, 4);
    check(false, "a task that is not registered ran in another build");
  } catch (const mp::RuntimeError& error) {
    const std::string text = error.what();
    check(
        text.find("another build") != std::string::npos || text.find("cannot be loaded") != std::string::npos,
        text.c_str());
  }
}

int other_parameters(int x) { return x; }
int registered_here_only(int x) { return x; }

template <class Function>
void check_message(mp::Context& spawn, Function function, std::vector<std::string> words, const char* what) {
  try {
    spawn.call(function, 4);
    check(false, what);
  } catch (const mp::RuntimeError& error) {
    const std::string text = error.what();
    words.emplace_back("light_helper");
    for (const std::string& word : words) check(text.find(word) != std::string::npos, text.c_str());
  }
}

/// Its code says nothing of a target that it never saw.
void check_unaware_program(const std::filesystem::path& program) {
  mp::set_executable(program);
  mp::SpawnProcess p(not_registered, 4);
  p.start();
  p.join();
  check(p.exitcode() == 0, "the exit code of a program without this library");
  check(p.exit_kind() == mp::ExitKind::unknown, "a program that took no target counts as success");
  check(p.exit_reason().find("without having run its target") != std::string::npos, "the reason says so");
  try {
    mp::spawn([](int) {}, mp::SpawnOptions{.nprocs = 1});
    check(false, "a group of such programs succeeds");
  } catch (const mp::ProcessExitedException&) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  mp::register_task<shared_task>("shared task");
  mp::register_task<other_parameters>("other parameters");
  mp::register_task<registered_here_only>("unknown task");
  mp::freeze_support(argc, argv);
  if (own_program::emulated()) return own_program::skipped;
  const auto self = std::filesystem::absolute(argv[0]);
  mp::set_executable(self.parent_path() / ("light_helper" + self.extension().string()));
  auto& spawn = mp::get_context("spawn");
  check(spawn.call(shared_task, 4) == 40, "a registered task");
  check_another_build(spawn);
  check_message(spawn, other_parameters, {"'other parameters'", "other parameters or another result"},
                "a task of another signature ran");
  check_message(spawn, registered_here_only, {"'unknown task' is not registered in", "another build"},
                "a task ran that the helper does not know");
  check_unaware_program(self.parent_path() / ("unaware" + self.extension().string()));
  mp::set_executable(self, {});
  check(spawn.call(not_registered, 4) == 5, "this program again");
  return mp::test_support::verdict(failures);
}
