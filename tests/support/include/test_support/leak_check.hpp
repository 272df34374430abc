// Counts handles and threads before and after a test case: TEST_CASE_FIXTURE(LeakCheck, "…"). What is
// made once for the whole program on first use does not count: a warm-up touches it before.
#pragma once

#include <functional>
#include <optional>

namespace multiprocessing::test_support {

/// What this process has at one moment; nullopt where the system does not tell.
struct Holdings {
  std::optional<int> handles;
  std::optional<int> threads;
  friend bool operator==(const Holdings&, const Holdings&) = default;
};
[[nodiscard]] Holdings holdings();
/// The same once nothing is given back any more: what others close in their threads lags behind.
[[nodiscard]] Holdings settled_holdings();

/// The system's own count of this process's children, those that ended and were not reaped with them; nullopt
/// where there is no such list (on Windows a child that is not let go of is an open handle).
[[nodiscard]] std::optional<int> child_count();

/// Whether the process comes back to what it had: at once or, where something ends in the background,
/// within ten seconds. A thread that was joined may be counted an instant longer, and a system's own
/// threads end when they are idle, so that fewer threads than before are right, and fewer handles with
/// them. Fewer handles alone are not: one was closed twice.
[[nodiscard]] bool returns_to(const Holdings& before);

/// Looks again and again, at most ten seconds: for what happens soon and tells nobody.
[[nodiscard]] bool eventually(const std::function<bool()>& holds);

/// `touch` runs once, before the first count.
void set_warm_up(std::function<void()> touch);

class LeakCheck {
 public:
  LeakCheck();
  LeakCheck(const LeakCheck&) = delete;
  LeakCheck& operator=(const LeakCheck&) = delete;
  ~LeakCheck();

 private:
  Holdings before_;
};

}  // namespace multiprocessing::test_support
