// ctest:
// The program's file is deleted, and replaced by another, while it runs: its children are still this build,
// or start() says that it cannot be.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "own_program.hpp"
#include "test_support/abilities.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
namespace fs = std::filesystem;

namespace {

int answer() { return 42; }

bool child_works_or_start_fails() {
  try {
    return mp::get_context("spawn").call(answer) == 42;
  } catch (const mp::OSError&) {
    return !mp::test_support::survives_replacement();
  }
}

/// In the copy: takes its own file away, then puts nonsense in its place.
int run_as_copy(const fs::path& self) {
  if (!child_works_or_start_fails()) return 10;
  std::error_code error;
  if (!fs::remove(self, error))
    return 0;  // a system that keeps files of running programs has nothing to show
  if (!child_works_or_start_fails()) return 11;
  std::ofstream(self) << "no program\n";
  return child_works_or_start_fails() ? 0 : 12;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  if (own_program::emulated()) return own_program::skipped;
  const fs::path self = fs::absolute(argv[0]);
  if (argc > 1 && std::strcmp(argv[1], "--copy") == 0) return run_as_copy(self);
  const fs::path copy = fs::current_path() / ("mp_replaced_copy" + self.extension().string());
  fs::copy_file(self, copy, fs::copy_options::overwrite_existing);
  const int status = own_program::run(copy, "--copy");
  std::error_code error;
  fs::remove(copy, error);
  if (status != 0) std::printf("the copy ended with %d\n", status);
  return mp::test_support::verdict(status == 0 ? 0 : 1);
}
