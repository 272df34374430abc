// Children of tests: functions that are registered next to the test that starts them, and run in
// another process, which is this same program again. On one machine under an emulator, that process is
// started through it (MULTIPROCESSING_TEST_LAUNCHER).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "contract/channel.hpp"
#include "contract/process.hpp"

namespace multiprocessing::test_support {

/// What a child function gets.
struct ChildContext {
  std::vector<std::string> arguments;                   ///< those that the test gave
  platform::Channel channel;                            ///< to the test; empty if it passed none
  platform::RawHandle inherited = platform::no_handle;  ///< the number that came with the command line
  int creator = 0;                                      ///< the process that made the channel
};

/// A function that a test can start in another process: a namespace-scope constant. Its result is the exit
/// code.
class ChildFunction {
 public:
  using Body = int (*)(ChildContext&);
  ChildFunction(const char* name, Body body);
  ChildFunction(const ChildFunction&) = delete;
  ChildFunction& operator=(const ChildFunction&) = delete;

  [[nodiscard]] const char* name() const { return name_; }

 private:
  friend std::optional<int> run_child_if_asked(int argc, char** argv);
  const char* name_;
  Body body_;
  const ChildFunction* next_;
};

/// To be called first by main: if this process is such a child, its exit code. `argv` is only looked at where
/// the system does not keep the command line.
[[nodiscard]] std::optional<int> run_child_if_asked(int argc, char** argv);

/// How to start it. `inherited` becomes the child's channel, if `adopt` says so; it was made by `creator`.
struct Inherited {
  platform::RawHandle handle = platform::no_handle;
  int creator = platform::current_pid();
  bool adopt = true;
};
[[nodiscard]] platform::LaunchRequest request_for(const ChildFunction& function,
                                                  std::vector<std::string> arguments = {},
                                                  const Inherited& inherited = {});

/// A child and the test's end of its channel. A child that still runs when this goes is killed and waited
/// for.
struct Child {
  platform::ChildProcess process;
  platform::Channel channel;

  Child(platform::ChildProcess started, platform::Channel ours);
  Child(Child&&) noexcept = default;
  Child& operator=(Child&&) = delete;
  ~Child();

  /// Waits until it ends, at most patience(); throws if it does not.
  platform::ExitStatus join();
};

/// Starts the function in a process of its own with a channel. `change` may alter the request before.
[[nodiscard]] Child start(const ChildFunction& function, std::vector<std::string> arguments = {},
                          const std::function<void(platform::LaunchRequest&)>& change = {});

/// Waits for the end of any child as Child::join() does.
platform::ExitStatus join(platform::ChildProcess& process);

inline constexpr platform::ExitStatus exited(int code) { return {platform::ExitStatus::Kind::exited, code}; }
inline constexpr platform::ExitStatus signalled(int code) {
  return {platform::ExitStatus::Kind::signalled, code};
}

/// Registered already: writes back every byte that comes until its channel ends, then returns 0.
extern const ChildFunction echo;
/// Registered already: returns the exit code that its first argument says.
extern const ChildFunction exit_with;

}  // namespace multiprocessing::test_support
