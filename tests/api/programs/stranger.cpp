// ctest:
// The bootstrap flag typed by a stranger: one line on standard error, exit status 2, and nothing of the
// program runs.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "own_program.hpp"
#include "test_support/verdict.hpp"

namespace {

/// Lines that the program wrote, run with these arguments; -1 if its exit status is not 2.
int lines_of_refusal(const char* self, const std::string& arguments) {
  const std::string file = "mp_stranger_output";
  const int status = own_program::run(self, arguments + " > " + file + " 2>&1");
  std::ifstream output(file);
  int lines = 0;
  for (std::string line; std::getline(output, line);) ++lines;
  output.close();
  std::remove(file.c_str());
  if (status != 2) std::printf("%s: exit status %d\n", arguments.c_str(), status);
  return status == 2 ? lines : -1;
}

}  // namespace

int main(int argc, char** argv) {
  multiprocessing::freeze_support(argc, argv);
  if (argc > 1 && std::strcmp(argv[1], "--ordinary") == 0) return 5;
  if (argc > 1) return 9;
  if (own_program::emulated()) return own_program::skipped;
  const std::string self = std::filesystem::absolute(argv[0]).string();
  const std::string flag = "--multiprocessing-fork";
  int wrong = 0;
  for (const std::string& arguments :
       {flag, flag + " channel=0 parent=1:0", flag + " channel=99 parent=1:1", flag + " channel=x parent=y",
        flag + " channel=3 parent=1:1 more", flag + " url://some/thing", flag + " channel=-1 parent=-1:0"})
    if (lines_of_refusal(self.c_str(), arguments) != 1) ++wrong;
  // Anywhere but in the first place it is an argument like any other.
  if (own_program::run(self, "--ordinary " + flag) != 5) ++wrong;
  return multiprocessing::test_support::verdict(wrong);
}
