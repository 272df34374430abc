// The leak counters, on the counts that the contract offers. Knows no doctest: programs use it, too.
#include <chrono>
#include <cstdlib>
#include <thread>

#include "contract/system.hpp"
#include "test_support/leak_check.hpp"

namespace multiprocessing::test_support {

Holdings holdings() { return {platform::open_handle_count(), platform::thread_count()}; }

bool eventually(const std::function<bool()>& holds) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // nothing tells when it comes true
  }
  return true;
}

bool returns_to(const Holdings& before) {
  return eventually([&] {
    const Holdings now = holdings();
    const bool thread_took_some = now.threads < before.threads && now.handles < before.handles;
    // wine closes handles of its own after a while; only what is left over is a leak there.
    const bool emulator_took_some =
        std::getenv("MULTIPROCESSING_TEST_EMULATED") != nullptr && now.handles < before.handles;
    return (now.handles == before.handles || thread_took_some || emulator_took_some) &&
           now.threads <= before.threads;
  });
}

}  // namespace multiprocessing::test_support
