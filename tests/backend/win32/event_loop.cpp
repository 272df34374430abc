// The event loop where the system's thread pool has nothing left to wait with. That cannot be brought about
// without using up all memory, so that the import through which Asio asks for a wait is bent here.
#include "contract/event_loop.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>

#include "contract/wait.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"
#include "win32.hpp"

extern "C" decltype(&RegisterWaitForSingleObject) __imp_RegisterWaitForSingleObject;

namespace multiprocessing::platform::win32 {
namespace {

using namespace test_support;

std::atomic<int> waits_refused{0};

BOOL WINAPI refuse_wait(PHANDLE, HANDLE, WAITORTIMERCALLBACK, PVOID, ULONG, ULONG) {
  ++waits_refused;
  SetLastError(ERROR_NOT_ENOUGH_MEMORY);
  return FALSE;
}

/// While it lives, no wait can be registered.
class NoWaits {
 public:
  NoWaits() {
    waits_refused = 0;
    set(&refuse_wait);
  }
  NoWaits(const NoWaits&) = delete;
  NoWaits& operator=(const NoWaits&) = delete;
  ~NoWaits() { set(registers_); }

 private:
  static void set(decltype(&RegisterWaitForSingleObject) function) {
    DWORD before = 0;
    auto& import = __imp_RegisterWaitForSingleObject;
    CHECK(VirtualProtect(&import, sizeof import, PAGE_READWRITE, &before) == TRUE);
    std::atomic_ref<decltype(function)>(import).store(function);
    CHECK(VirtualProtect(&import, sizeof import, before, &before) == TRUE);
  }
  const decltype(&RegisterWaitForSingleObject) registers_ = __imp_RegisterWaitForSingleObject;
};

/// A watch that goes on, and counts.
class Watched {
 public:
  explicit Watched(EventLoop& loop)
      : loop_(loop), id_(must(loop.watch(source_.waitable(), [this] {
          source_.reset();
          ++calls_;
          return true;
        }))) {}
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() { loop_.cancel(id_); }

  void happen() { source_.notify(); }
  void cancel() { loop_.cancel(id_); }
  [[nodiscard]] int calls() const { return calls_; }
  [[nodiscard]] bool hears() {
    const int before = calls_;
    happen();
    return eventually([&] { return calls_ > before; });
  }

 private:
  EventLoop& loop_;
  Wakeup source_ = must(Wakeup::create());
  std::atomic<int> calls_{0};
  EventLoop::Id id_;
};

bool asks_again() {
  return eventually([before = waits_refused.load()] { return waits_refused > before + 2; });
}

}  // namespace

TEST_SUITE("backend.event_loop") {
  TEST_CASE_FIXTURE(LeakCheck, "what the system cannot wait for is heard all the same, and only when ready") {
    const auto loop = must(EventLoop::create());
    const NoWaits refused;
    Watched watched(*loop);
    CHECK(asks_again());
    CHECK(watched.calls() == 0);
    CHECK(watched.hears());
    CHECK(watched.hears());
    CHECK(asks_again());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a watch survives a time without waits") {
    const auto loop = must(EventLoop::create());
    Watched watched(*loop);
    CHECK(watched.hears());
    {
      const NoWaits refused;
      CHECK(watched.hears());  // it waits already; the next wait is refused
      CHECK(watched.hears());
      CHECK(waits_refused > 0);
    }
    CHECK(watched.hears());
    CHECK(watched.hears());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a watch that rests is cancelled as any other") {
    const auto loop = must(EventLoop::create());
    const NoWaits refused;
    Watched cancelled(*loop);
    CHECK(asks_again());
    cancelled.cancel();
    cancelled.happen();
    Watched other(*loop);
    CHECK(other.hears());
    CHECK(cancelled.calls() == 0);
  }
}

}  // namespace multiprocessing::platform::win32
