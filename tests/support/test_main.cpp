// The main() of every test binary that runs children: becomes the child first, where it is one, then
// tells the library how programs are started on this machine, then runs doctest and demands that it
// ran at least one test case, so that a misspelt suite name cannot pass.
#define DOCTEST_CONFIG_IMPLEMENT
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS  // children that are forked crash on purpose
#include <doctest/doctest.h>

#include <multiprocessing/call.hpp>
#include <multiprocessing/context.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/timeout.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"

namespace {

/// Without binfmt an emulated program cannot start itself: its children need the emulator in front.
void use_launcher(const char* self) {
  const char* launcher = std::getenv("MULTIPROCESSING_TEST_LAUNCHER");
  if (launcher == nullptr || *launcher == '\0') return;
  std::istringstream words(launcher);
  std::vector<std::string> prefix;
  for (std::string word; words >> word;) prefix.push_back(word);
  multiprocessing::set_executable(std::filesystem::absolute(self).string(), prefix);
}

int nothing() { return 0; }

/// Uses once what the library, the standard library and the system make on first use and keep.
void touch_everything() {
  for (const auto& method : multiprocessing::get_all_start_methods())
    multiprocessing::get_context(method).call(nothing);  // the fork server is made once, too
  multiprocessing::call_async(nothing).result();
  const multiprocessing::TimeLimit timer(std::chrono::hours(1));
  static_cast<void>(timer.token());
  std::mutex mutex;
  const auto meet = [&] {
    const std::lock_guard lock(mutex);
    std::this_thread::yield();
  };
  for (int i = 0; i < 100; ++i) {
    std::thread other(meet);
    meet();
    other.join();
  }
}

}  // namespace

int main(int argc, char** argv) {
  multiprocessing::freeze_support(argc, argv);
  use_launcher(argv[0]);
  multiprocessing::test_support::install_watchdog();
  multiprocessing::test_support::set_warm_up(touch_everything);

  doctest::Context context(argc, argv);
  context.setOption("no-intro", true);
  const int result = context.run();
  if (context.shouldExit()) return result;
  if (multiprocessing::test_support::cases_run() == 0) {
    std::cerr << "no test case matched the filters\n";
    return 1;
  }
  return result;
}
