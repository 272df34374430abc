// ctest:
// A child that does not take its arguments: a time limit and a stop request end start(), and a child that
// another thread forks meanwhile keeps every file that its own parent had open.
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

namespace {

constexpr const char* marker_variable = "SLOW_CHILD_MARKER";
constexpr std::size_t more_than_a_channel_holds = 8u << 20;

int failures = 0;
void check(bool good, const char* what) {
  if (good) return;
  std::printf("wrong: %s\n", what);
  ++failures;
}

/// What the slow child is: it says that it is there and waits to be killed.
[[noreturn]] void stay(const char* marker) {
  std::ofstream(marker) << "here";
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, 60s, [] { return false; });
  std::_Exit(9);
}

mp::ProcessOptions slow(const std::string& marker) {
  return {.environment = std::map<std::string, std::string>{{marker_variable, marker}}};
}

int size_of(std::string text) { return static_cast<int>(text.size()); }

void check_time_limit(const std::string& marker) {
  try {
    mp::get_context("spawn").run_with_timeout(mp::CallOptions{.process = slow(marker)}, 50ms, size_of,
                                              std::string(more_than_a_channel_holds, 'x'));
    check(false, "a call whose child takes no arguments has a result");
  } catch (const mp::TimeoutError&) {
  }
  check(mp::active_children().empty(), "a start that took too long left a process");
}

bool all_readable(const std::vector<std::FILE*>& files) {
  for (auto* file : files)
    if (std::fgetc(file) == EOF) return false;
  return true;
}

/// Opens files and forks: the child must find each of them open.
bool child_has_files(const std::string& some_file) {
  std::vector<std::FILE*> files;
  for (int i = 0; i < 8; ++i) files.push_back(std::fopen(some_file.c_str(), "rb"));
  mp::ForkProcess p([&] { mp::exit(all_readable(files) ? 0 : 1); });
  p.start();
  p.join();
  for (auto* file : files) std::fclose(file);
  return p.exitcode() == 0;
}

void check_stop_and_forks(const std::string& marker, const std::string& some_file) {
  mp::StopSource stop;
  bool cancelled = false;
  std::thread starter([&] {
    mp::SpawnProcess p(slow(marker), size_of, std::string(more_than_a_channel_holds, 'x'));
    try {
      p.start(stop.token());
    } catch (const mp::CancelledError&) {
      cancelled = true;
    }
  });
  const bool can_fork = mp::get_all_start_methods().size() > 1;
  bool there = false;
  while (!there) {
    there = std::filesystem::exists(marker);  // one more round after the child is there
    if (can_fork)
      check(child_has_files(some_file), "a forked child lost a file of its parent");
    else
      std::this_thread::yield();
  }
  stop.request_stop();
  starter.join();
  check(cancelled, "a stop request did not end a start");
}

}  // namespace

int main(int argc, char** argv) {
  if (const char* marker = std::getenv(marker_variable)) stay(marker);
  mp::freeze_support(argc, argv);
  const auto folder = std::filesystem::temp_directory_path();
  const std::string marker =
      (folder / ("mp_slow_child_" + std::to_string(*mp::current_process().pid()))).string();
  check_time_limit(marker);
  std::filesystem::remove(marker);
  check_stop_and_forks(marker, argv[0]);
  std::filesystem::remove(marker);
  return mp::test_support::verdict(failures);
}
