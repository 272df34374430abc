// The leak counters, on the counts that the contract offers. Knows no doctest: programs use it, too.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>

#include "contract/process.hpp"
#include "contract/system.hpp"
#include "test_support/leak_check.hpp"

namespace multiprocessing::test_support {

Holdings holdings() { return {platform::open_handle_count(), platform::thread_count()}; }

Holdings settled_holdings() {
  constexpr int long_enough = 50;
  Holdings least = holdings();
  for (int looks = 0; looks < long_enough; ++looks) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // nothing tells when it is done
    const Holdings now = holdings();
    if (now.handles >= least.handles && now.threads >= least.threads) continue;
    least = now;
    looks = 0;
  }
  return least;
}

std::optional<int> child_count() {
  const std::string own_pid = std::to_string(platform::current_pid());
  std::string self;
  std::ifstream("/proc/self/stat") >> self;
  if (self != own_pid) return std::nullopt;  // no such list, or, under wine, one that counts otherwise
  std::error_code error;
  const std::filesystem::directory_iterator processes("/proc", error);
  if (error) return std::nullopt;
  int count = 0;
  for (const auto& entry : processes) {
    if (entry.path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text;
    std::getline(file, text);
    const auto name_end = text.rfind(')');  // pid (name) state parent …
    if (name_end == std::string::npos) continue;
    std::istringstream words(text.substr(name_end + 1));
    std::string state, parent;
    words >> state >> parent;
    if (parent == own_pid) ++count;
  }
  return count;
}

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
