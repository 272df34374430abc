// The leak counters, on the counts that the contract offers.
#include "test_support/leak_check.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "contract/system.hpp"

namespace multiprocessing::test_support {
namespace {

std::function<void()>& warm_up() {
  static std::function<void()> touch;
  return touch;
}

}  // namespace

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
  return eventually([&] { return holdings() == before; });
}

void set_warm_up(std::function<void()> touch) { warm_up() = std::move(touch); }

LeakCheck::LeakCheck() {
  if (const auto touch = std::exchange(warm_up(), nullptr)) touch();
  before_ = holdings();
}

LeakCheck::~LeakCheck() {
  if (std::uncaught_exceptions() > 0 || returns_to(before_)) return;
  const Holdings after = holdings();
  CHECK_MESSAGE(after.handles == before_.handles,
                "handles leaked or closed twice: ", before_.handles.value_or(-1), " before, ",
                after.handles.value_or(-1), " after");
  CHECK_MESSAGE(after.threads == before_.threads, "threads left: ", before_.threads.value_or(-1), " before, ",
                after.threads.value_or(-1), " after");
}

}  // namespace multiprocessing::test_support
