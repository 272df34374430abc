// Ends a test program that hangs, and says where: each test case has a time limit, and whoever blocks
// leaves a note of what he waits for. Children of tests have a shorter limit, so that their notes are
// printed before the test itself gives up.
#pragma once

#include <chrono>
#include <string>

#include "contract/clock.hpp"

namespace multiprocessing::test_support {

/// Whether this program runs under an emulator or a sanitizer, as the test's environment says.
[[nodiscard]] bool slow();

/// How long one test case may take: 60 s, three times that where everything is slow.
[[nodiscard]] std::chrono::seconds time_limit();

/// For a wait that must succeed: shorter than time_limit(), so that the failure is an error with a name.
[[nodiscard]] platform::Deadline patience();

/// From now on `name` has `limit` to end; it replaces what was watched before. Starts the watchdog's
/// thread when it is called first.
void watch_over(std::string name, std::chrono::seconds limit);

/// What is watched has ended.
void watch_ends();

/// The name that was given to watch_over().
[[nodiscard]] std::string watched_name();

/// A note that stands as long as the object does: "waiting for <what>".
class WaitingFor {
 public:
  explicit WaitingFor(std::string what);
  WaitingFor(const WaitingFor&) = delete;
  WaitingFor& operator=(const WaitingFor&) = delete;
  ~WaitingFor();

 private:
  unsigned long long id_;
};

}  // namespace multiprocessing::test_support
