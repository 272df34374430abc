// Locks that are nothing but a word of memory. std::mutex is not used in this backend: with mingw-w64 each
// one that threads have ever met at keeps a handle, also after its end.
#pragma once

#include "win32.hpp"

namespace multiprocessing::platform::win32 {

/// For std::lock_guard and std::unique_lock. Not recursive.
class Mutex {
 public:
  Mutex() noexcept = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void lock() noexcept { AcquireSRWLockExclusive(&lock_); }
  void unlock() noexcept { ReleaseSRWLockExclusive(&lock_); }

 private:
  friend class Changed;
  SRWLOCK lock_ = SRWLOCK_INIT;
};

/// Wakes those who wait for what a Mutex guards to change.
class Changed {
 public:
  Changed() noexcept = default;
  Changed(const Changed&) = delete;
  Changed& operator=(const Changed&) = delete;
  void notify_all() noexcept { WakeAllConditionVariable(&variable_); }
  /// The mutex is locked by this thread, before and after.
  template <class Predicate>
  void wait(Mutex& mutex, Predicate holds) noexcept {
    while (!holds()) SleepConditionVariableSRW(&variable_, &mutex.lock_, INFINITE, 0);
  }

 private:
  CONDITION_VARIABLE variable_ = CONDITION_VARIABLE_INIT;
};

}  // namespace multiprocessing::platform::win32
