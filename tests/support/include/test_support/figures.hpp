// What the programs have in common that count and judge themselves: their arguments.
#pragma once

#include <multiprocessing/context.hpp>

#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace figures {

/// N of "--count=N", 10 without it.
inline int count_argument(int argc, char** argv) {
  constexpr std::string_view name = "--count=";
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]).starts_with(name)) return std::atoi(argv[i] + name.size());
  return 10;
}

/// Whether the figures with a time in them decide the exit status; else only that nothing hangs.
inline bool judged_by_time(int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]) == "--judge-times") return true;
  return false;
}

/// Under an emulator children are started through it.
inline void use_launcher(const char* self) {
  const char* launcher = std::getenv("MULTIPROCESSING_TEST_LAUNCHER");
  if (launcher == nullptr || *launcher == '\0') return;
  std::istringstream words(launcher);
  std::vector<std::string> prefix;
  for (std::string word; words >> word;) prefix.push_back(word);
  multiprocessing::set_executable(self, prefix);
}

}  // namespace figures
