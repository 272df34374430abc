// How the platform layer reports failure: a neutral condition that callers may act upon, the native
// code for people who read logs, and the name of the call that failed. Nothing in this layer throws
// or logs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

namespace multiprocessing::platform {

/// What went wrong, in words that mean the same on every system. Each backend has exactly one
/// function that translates native codes into these; a code it does not know is `other`.
enum class Condition : std::uint8_t {
  not_found,          ///< no such file, process or name
  permission_denied,  ///< the system refuses this user
  already_exists,     ///< the name is taken
  not_executable,     ///< the file exists and cannot be run on this machine
  would_block,        ///< nothing to be had now, without waiting
  timed_out,          ///< the deadline passed
  cancelled,          ///< a Wakeup fired before anything else did
  broken,             ///< the peer is gone; writing makes no sense any more
  out_of_handles,     ///< this process or the machine has no descriptor left
  out_of_processes,   ///< this user or the machine may not start another process or thread
  out_of_memory,      ///< no memory, no address space, no commit charge
  out_of_space,       ///< the device is full
  too_long,           ///< a path, name or message exceeds a limit of the system
  invalid_argument,   ///< a precondition was violated; a mistake of the caller
  gone,               ///< the process has ended, or is not the one that was meant
  corrupt,            ///< bytes from outside make no sense
  not_supported,      ///< this system cannot; see capabilities.hpp
  other,              ///< anything else: see the native code
};

/// The condition's name as it stands above, for messages and for the fault plan.
[[nodiscard]] const char* name_of(Condition condition) noexcept;

/// A failure. `call` is a string literal that names the system call or the step that failed.
struct Error {
  Condition condition = Condition::other;
  int native = 0;  ///< errno, GetLastError() or 0 where the failure is not the system's
  const char* call = "";
  const std::error_category* category = nullptr;  ///< of `native`, if it is none of errno's

  /// The native code in its category, so that `message()` is in the system's words.
  /// A failure that is not the system's gets the nearest generic code.
  [[nodiscard]] std::error_code code() const noexcept;
  /// "call: message", for logs.
  [[nodiscard]] std::string to_string() const;
};

/// A value or an Error; never empty. `operator*` on a failure is a mistake of the caller.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, error) {}

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] T& operator*() & { return *std::get_if<0>(&state_); }
  [[nodiscard]] const T& operator*() const& { return *std::get_if<0>(&state_); }
  [[nodiscard]] T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  [[nodiscard]] T* operator->() { return std::get_if<0>(&state_); }
  [[nodiscard]] const T* operator->() const { return std::get_if<0>(&state_); }
  [[nodiscard]] const Error& error() const noexcept { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

/// Success, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(error) {}

  [[nodiscard]] bool has_value() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] const Error& error() const noexcept { return *error_; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace multiprocessing::platform
