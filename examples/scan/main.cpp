// scan: counts lines, words and bytes of every file below the given directories, a batch of files for each
// child process. The parts: options.hpp, walk.hpp, count.hpp (in the children), schedule.hpp, report.hpp.
#include "options.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "schedule.hpp"
#include "walk.hpp"

#include <multiprocessing/freeze_support.hpp>

#include <chrono>
#include <exception>
#include <iostream>

namespace {

int scan_all(const scan::Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  scan::Walk walk(options);
  scan::Report report;
  {
    scan::Progress progress;
    scan::run_batches(walk, options, [&](const scan::Outcome& outcome) {
      report.add(outcome);
      progress.show(report.total().files, report.batches(), report.failed());
    });
  }
  report.add_unreadable(walk.unreadable());
  report.print(std::chrono::steady_clock::now() - begin);
  return report.complete() ? 0 : 1;
}

/// Exit status 1 if what was printed did not arrive: a full disk, a closed stream.
int after_printing(int status) {
  std::cout.flush();
  if (std::cout) return status;
  std::cerr << "scan: standard output cannot be written\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  multiprocessing::freeze_support(argc, argv);
  const scan::CommandLine line = scan::read_command_line(argc, argv);
  if (line.leave) return after_printing(line.status);
  try {
    return after_printing(scan_all(line.options));
  } catch (const std::exception& error) {
    std::cerr << "scan: " << error.what() << '\n';
    return 1;
  }
}
