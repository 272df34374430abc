// The command line of scan.
#pragma once

#include "count.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace scan {

enum class Grouping { extension, directory };

struct Options {
  std::vector<std::string> directories;  ///< as they were typed
  int jobs = 1;
  std::size_t chunk = 32;
  unsigned retries = 3;
  std::chrono::duration<double> limit{60};
  Grouping grouping = Grouping::extension;
  Words words = Words::printable;
  std::vector<Injection> injections;
};

/// What main() shall do: go on with `options`, or leave with `status` because everything has been said.
struct CommandLine {
  Options options;
  bool leave = false;
  int status = 0;
};

/// Prints help to standard output, and one line to standard error for what is wrong: status 2 then.
CommandLine read_command_line(int argc, char** argv);

}  // namespace scan
