// The main() of the conformance suite. The same program is also every child that a test starts.
#define DOCTEST_CONFIG_IMPLEMENT
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS  // forked children would inherit doctest's handlers
#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "contract/console.hpp"
#include "contract/crypto.hpp"
#include "contract/event_loop.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/results.hpp"

namespace {

using namespace multiprocessing;
using test_support::must;

/// Uses once what a backend may set up for the whole process, so that leak counts begin after it.
void touch_everything() {
  auto child = test_support::start(test_support::exit_with, {"0"});
  child.join();
  std::vector<platform::Wakeup> wakeups;
  std::vector<platform::RawHandle> handles;
  for (int i = 0; i < 70; ++i)
    handles.push_back(wakeups.emplace_back(must(platform::Wakeup::create())).waitable());
  must(platform::wait_any(handles, platform::Deadline::after(std::chrono::milliseconds(1))));
  // Never destroyed: what a system keeps for waits and gives up when it is idle would come and go between
  // counts.
  static const auto& never = *new platform::Wakeup(must(platform::Wakeup::create()));
  static auto& loop = *must(platform::EventLoop::create()).release();
  must(loop.watch(never.waitable(), [] { return true; }));
  must(loop.at(platform::Deadline::now(), [] {}));
  // Two threads that meet: what the standard library makes for that, it keeps.
  std::mutex mutex;
  const auto meet = [&] {
    const std::lock_guard lock(mutex);
    std::this_thread::yield();
  };
  for (int i = 0; i < 100; ++i) {
    auto other = std::async(std::launch::async, meet);
    std::thread(meet).join();
    other.get();
  }
  std::array<std::byte, 16> bytes;
  must(platform::random_bytes(bytes));
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto code = test_support::run_child_if_asked(argc, argv)) return *code;
  platform::silence_crash_dialogs();
  test_support::install_watchdog();
  test_support::set_warm_up(touch_everything);

  doctest::Context context(argc, argv);
  context.setOption("no-intro", true);
  const int result = context.run();
  if (context.shouldExit()) return result;
  if (test_support::cases_run() == 0) {
    std::fputs("no test case matched the filters\n", stderr);
    return 1;
  }
  return result;
}
