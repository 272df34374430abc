// The child's side of every start method: what happens between the first instruction and the exit code.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <multiprocessing/detail/archive.hpp>

#include "contract/process.hpp"
#include "launch/self.hpp"

namespace multiprocessing::runtime {

/// The flag that a re-executed child is known by: argv[1], followed by "channel=N" and "parent=PID:START".
inline constexpr const char* bootstrap_flag = "--multiprocessing-fork";

/// Crashes of this process are reported to its parent from now on. Without that, a crash shows in the exit
/// code alone.
void arm_crash_report_to(ParentLink& link);

/// Runs `body`, which may write a result, and tells the parent what came of it. An exception that escapes is
/// printed, unless the parent waits for a result and throws it. Returns the exit code: 0 or 1.
[[nodiscard]] int run_and_report(ParentLink& link, const bool& wants_result,
                                 const std::function<void(detail::Encoder* result)>& body);

/// Ends the process with 0 when its thread is being ended, as by pthread_exit: that unwinds the stack without
/// an exception, and nothing may stop it.
class WhileBodyRuns {
 public:
  WhileBodyRuns() = default;
  WhileBodyRuns(const WhileBodyRuns&) = delete;
  WhileBodyRuns& operator=(const WhileBodyRuns&) = delete;
  ~WhileBodyRuns();
  void returned() noexcept { returned_ = true; }

 private:
  const int before_ = std::uncaught_exceptions();
  bool returned_ = false;
};

/// What a child does to itself before its target runs, however it came into being; in `body`, since it throws
/// OSError.
void obey_limits(const ChildSettings& settings);

/// Leaves a forked child: ends its children as at the end of a program, flushes, and leaves the parent's
/// statics alone.
[[noreturn]] void leave_forked_child(int code);

/// In the child, once: the next Process that is made without a target is current_process() itself: the object
/// whose run() this child shall call.
void expect_own_object() noexcept;
/// Whether it is the one that was expected.
[[nodiscard]] bool take_expected_object() noexcept;

/// freeze_support() was called, or this is a child: "spawn" works.
[[nodiscard]] bool can_be_re_executed() noexcept;
void allow_re_execution() noexcept;

/// True the first time in this program: the caller registers the exit rule.
[[nodiscard]] bool exit_rule_is_due() noexcept;

void flush_standard_streams() noexcept;

}  // namespace multiprocessing::runtime
