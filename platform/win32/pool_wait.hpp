// One handle that the system's thread pool waits for. When the handle is ready the pool sets an event of
// ours, once; then the wait has to be armed again.
#pragma once

#include <atomic>
#include <memory>

#include "win32.hpp"

namespace multiprocessing::platform::win32 {

class PoolWait {
 public:
  /// `handle` and `signal` stay the caller's. Null if the pool has no memory: see GetLastError().
  static std::unique_ptr<PoolWait> create(HANDLE handle, HANDLE signal) {
    std::unique_ptr<PoolWait> wait(new PoolWait(handle, signal));
    wait->wait_ = CreateThreadpoolWait(&PoolWait::on_ready, wait.get(), nullptr);
    if (wait->wait_ == nullptr) return nullptr;
    return wait;
  }
  PoolWait(const PoolWait&) = delete;
  PoolWait& operator=(const PoolWait&) = delete;
  ~PoolWait() {
    if (wait_ == nullptr) return;
    disarm();
    CloseThreadpoolWait(wait_);
  }

  /// Does nothing if it is armed and has not fired.
  void arm() noexcept {
    if (armed_.exchange(true)) return;
    fired_ = false;
    SetThreadpoolWait(wait_, handle_, nullptr);
  }
  /// When it returns the pool neither waits for the handle nor runs the callback.
  void disarm() noexcept {
    SetThreadpoolWait(wait_, nullptr, nullptr);
    WaitForThreadpoolWaitCallbacks(wait_, TRUE);
    armed_ = false;
  }
  /// Whether the handle was ready since arm().
  [[nodiscard]] bool fired() const noexcept { return fired_; }

 private:
  PoolWait(HANDLE handle, HANDLE signal) noexcept : handle_(handle), signal_(signal) {}

  static void CALLBACK on_ready(PTP_CALLBACK_INSTANCE, PVOID context, PTP_WAIT, TP_WAIT_RESULT) {
    auto& self = *static_cast<PoolWait*>(context);
    self.fired_ = true;
    self.armed_ = false;
    SetEvent(self.signal_);
  }

  HANDLE handle_;
  HANDLE signal_;
  PTP_WAIT wait_ = nullptr;
  std::atomic<bool> armed_{false};
  std::atomic<bool> fired_{false};
};

}  // namespace multiprocessing::platform::win32
