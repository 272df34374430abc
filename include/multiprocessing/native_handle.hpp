// The operating system's handles, for code that waits for them in a loop of its own.
#pragma once

#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/native.hpp>

#include <cstdint>
#include <iosfwd>

namespace multiprocessing {

/// A file descriptor (int) or a HANDLE (void*), owned by somebody else. Copyable, comparable, printable.
class MULTIPROCESSING_EXPORT NativeHandle {
 public:
  using native_type = detail::native_handle_type;
  NativeHandle() noexcept = default;
  NativeHandle(native_type handle) noexcept : value_((std::intptr_t)handle) {}
  [[nodiscard]] native_type native() const noexcept { return (native_type)value_; }
  [[nodiscard]] bool valid() const noexcept { return value_ != -1; }
  friend bool operator==(const NativeHandle&, const NativeHandle&) noexcept = default;

  /// Prints the descriptor as a number, or the HANDLE in hexadecimal.
  template <class Character, class Traits>
  friend std::basic_ostream<Character, Traits>& operator<<(std::basic_ostream<Character, Traits>& out,
                                                           const NativeHandle& handle) {
    return out << handle.native();
  }

 private:
  std::intptr_t value_ = -1;
};

/// A handle that is ready when a process has ended: Python's `Process.sentinel`. It stays valid while a
/// Process object of that process exists and is not closed.
class MULTIPROCESSING_EXPORT Sentinel {
 public:
  Sentinel() noexcept = default;
  /// `identity` tells two sentinels apart whose native handle got the same number one after the other.
  Sentinel(NativeHandle handle, std::uint64_t identity) noexcept : handle_(handle), identity_(identity) {}
  [[nodiscard]] NativeHandle::native_type native() const noexcept { return handle_.native(); }
  [[nodiscard]] NativeHandle native_handle() const noexcept { return handle_; }
  [[nodiscard]] std::uint64_t identity() const noexcept { return identity_; }
  friend bool operator==(const Sentinel&, const Sentinel&) noexcept = default;

  template <class Character, class Traits>
  friend std::basic_ostream<Character, Traits>& operator<<(std::basic_ostream<Character, Traits>& out,
                                                           const Sentinel& sentinel) {
    return out << sentinel.handle_;
  }

 private:
  NativeHandle handle_;
  std::uint64_t identity_ = 0;
};

}  // namespace multiprocessing
