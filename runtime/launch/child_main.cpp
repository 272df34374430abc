// Runs the target in the child, and reports.
#include "launch/child_main.hpp"

#include <atomic>
#include <cstdio>
#include <iostream>
#include <memory>
#include <multiprocessing/freeze_support.hpp>
#include <multiprocessing/process.hpp>
#include <span>
#include <utility>

#include "contract/console.hpp"
#include "contract/crash.hpp"
#include "contract/throw_trace.hpp"
#include "launch/symbolize.hpp"
#include "support/errors.hpp"
#include "support/log.hpp"
#include "wire/exception_report.hpp"

namespace multiprocessing::runtime {
namespace {

/// A report that nobody reads before its writer has ended; the smallest channels hold 64 KiB.
constexpr std::size_t longest_unread = 48 * 1024;

std::atomic<bool> own_object_expected{false};
std::atomic<bool> re_execution_allowed{false};

struct TracedCall {
  const std::function<void(detail::Encoder*)>& body;
  detail::Encoder* result;
};

void call_body(void* argument) {
  const auto& call = *static_cast<TracedCall*>(argument);
  WhileBodyRuns runs;
  call.body(call.result);
  runs.returned();
}

void print_exception(const ExceptionReport& report) {
  std::string text = "Process " + self().name() + " (pid " + std::to_string(platform::current_pid()) +
                     "): " + report.type_name;
  if (!report.message.empty()) text += ": " + report.message;
  platform::write_to_standard_error(text + '\n' + report.first_trace + symbolize(report.frames));
}

void send_report(ParentLink& link, FrameKind kind, std::span<const std::byte> body) noexcept {
  // A large one goes in pieces, and another thread may crash between two of them.
  platform::hold_crash_reports();
  // A parent that is gone needs no report.
  static_cast<void>(send_frame(link.channel(), kind, body, platform::Deadline::never()));
  platform::release_crash_reports();
}

/// The memory to describe an exception that escapes, fetched before, since it may say that there is none.
class Precaution {
 public:
  Precaution() : reserve_(new std::byte[16 * 1024]) {}

  /// Describes what is being handled, to the parent and, if `aloud`, on standard error.
  void report(ParentLink& link, const platform::ThrowTrace& trace, bool aloud) noexcept {
    reserve_.reset();
    bool sent = false;
    try {
      auto report = describe_current_exception(trace);
      // Who waits for the end alone does not read meanwhile: the report has to fit into the channel. What it
      // takes to throw the same again is for those who wait for a result.
      if (aloud) report.details = {};
      detail::Encoder encoder;
      detail::encode(encoder, report);
      if (aloud && encoder.bytes().size() > longest_unread) {
        report = cut_to_fit(std::move(report), longest_unread);
        encoder.clear();
        detail::encode(encoder, report);
      }
      send_report(link, FrameKind::raised, encoder.bytes());
      sent = true;
      flush_standard_streams();  // what the target printed stands before its exception
      if (aloud) print_exception(report);
    } catch (...) {
      if (!sent) send_report(link, FrameKind::raised, {});
      flush_standard_streams();
      if (aloud)
        platform::write_to_standard_error("a process ended by an exception and had no memory left\n");
    }
  }

 private:
  std::unique_ptr<std::byte[]> reserve_;
};

}  // namespace

WhileBodyRuns::~WhileBodyRuns() {
  if (!returned_ && std::uncaught_exceptions() == before_) multiprocessing::exit(0);
}

void arm_crash_report_to(ParentLink& link) {
  const auto header = frame_header(FrameKind::crashed, sizeof(platform::CrashRecord));
  if (const auto armed = platform::arm_crash_reports(link.channel().get(), header); !armed)
    log(Level::debug, "no crash reports from this process: " + armed.error().to_string());
}

int run_and_report(ParentLink& link, const bool& wants_result,
                   const std::function<void(detail::Encoder*)>& body) {
  Precaution precaution;
  detail::Encoder result;
  platform::ThrowTrace trace;
  TracedCall call{body, &result};
  try {
    platform::call_traced(call_body, &call, trace);
  } catch (...) {
    precaution.report(link, trace, !wants_result);
    return 1;
  }
  if (wants_result) send_report(link, FrameKind::finished, result.bytes());
  return 0;
}

void obey_limits(const ChildSettings& settings) {
  if (settings.memory_limit == 0) return;
  const auto limited = platform::limit_memory(settings.memory_limit);
  if (!limited && limited.error().condition == platform::Condition::not_supported)
    log(Level::warning, "this system does not enforce memory_limit");
  else
    value_or_throw(limited, "memory_limit");
}

void flush_standard_streams() noexcept {
  try {
    std::cout.flush();
    std::cerr.flush();
    std::clog.flush();
  } catch (...) {
    // An application may have made its streams throw; what cannot be written is lost either way.
  }
  // Not all streams: another thread may sit in a read from one of them, with its lock.
  std::fflush(stdout);
  std::fflush(stderr);
}

void leave_forked_child(int code) {
  detail::run_exit_rule();
  flush_standard_streams();
  platform::end_now(code);
}

void expect_own_object() noexcept { own_object_expected = true; }
bool take_expected_object() noexcept { return own_object_expected.exchange(false); }

bool can_be_re_executed() noexcept { return re_execution_allowed; }
void allow_re_execution() noexcept { re_execution_allowed = true; }

bool exit_rule_is_due() noexcept {
  static std::atomic<bool> registered{false};
  return !registered.exchange(true);
}

}  // namespace multiprocessing::runtime

namespace multiprocessing::detail {

bool note_freeze_support() noexcept {
  runtime::allow_re_execution();
  return runtime::exit_rule_is_due();
}

}  // namespace multiprocessing::detail
