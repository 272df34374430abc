// scan: counts lines, words and bytes of every file below the given directories, in a pool of processes. A
// file that makes a worker crash, hang or throw costs that file. The parts: options.hpp, walk.hpp,
// inputs.hpp, count.hpp (in the workers), report.hpp.
#include "count.hpp"
#include "inputs.hpp"
#include "options.hpp"
#include "report.hpp"
#include "walk.hpp"

#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>

namespace {

namespace mp = multiprocessing;

/// What an exception says, and where in the worker it was thrown.
std::string describe(const std::exception& error) {
  try {
    std::rethrow_if_nested(error);  // the trace travels inside of what was thrown
  } catch (const mp::RemoteError& remote) {
    return describe(remote);
  } catch (...) {
  }
  const auto* remote = dynamic_cast<const mp::RemoteError*>(&error);
  return remote == nullptr ? error.what() : std::string(remote->what()) + '\n' + remote->trace();
}

/// Why a file has no count.
std::string reason_of(std::exception_ptr failure, const scan::Options& options) {
  try {
    std::rethrow_exception(failure);
  } catch (const mp::TimeoutError&) {
    std::ostringstream text;
    text << "stopped after " << options.limit.count() << " s";
    return text.str();
  } catch (const std::exception& error) {
    return describe(error);
  }
}

void count_all(scan::Walk& walk, const scan::Options& options, scan::Report& report) {
  mp::Pool pool(options.jobs, {.initializer = {scan::prepare_worker, options.words, options.injections},
                               .retries = options.retries});
  scan::Inputs files(walk);
  auto outcomes = pool.imap_outcomes(scan::count_file, files,
                                     {.chunksize = options.chunk, .task = {.timeout = options.limit}});
  for (auto& outcome : mp::progress(outcomes, {.description = "files"})) {
    const scan::File file = files.take(outcome.index());
    if (outcome)
      report.add(file, *outcome);
    else
      report.add_failed(file, reason_of(outcome.error(), options));
  }
}

int scan_all(const scan::Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  scan::Walk walk(options);
  scan::Report report;
  count_all(walk, options, report);
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
  mp::freeze_support(argc, argv);
  const scan::CommandLine line = scan::read_command_line(argc, argv);
  if (line.leave) return after_printing(line.status);
  try {
    return after_printing(scan_all(line.options));
  } catch (const std::exception& error) {
    std::cerr << "scan: " << error.what() << '\n';
    return 1;
  }
}
