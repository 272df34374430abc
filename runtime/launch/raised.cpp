// Makes ProcessRaisedException and ProcessExitedException, whose texts name the place in the child where it
// happened.
#include "launch/raised.hpp"

#include <string>
#include <utility>

#include "contract/crash.hpp"
#include "launch/symbolize.hpp"
#include "wire/raised_details.hpp"

namespace multiprocessing {

namespace runtime {

/// Makes Details, which only members of the exception may name.
ProcessRaisedException raised_exception(std::shared_ptr<const ExceptionReport> report, int index, int pid) {
  return {std::make_shared<const ProcessRaisedException::Details>(std::move(report), symbolize, index, pid),
          index, pid};
}

ProcessExitedException exited_exception(detail::ProcessState& child, int index) {
  const auto status = child.exit_status().value_or(platform::ExitStatus{});
  const int pid = child.started_pid();
  std::string text = "process " + std::to_string(index) + " (pid " + std::to_string(pid) +
                     ") ended: " + child.end_in_words();
  if (const auto crash = child.report().crash) {
    text += "\n  " + platform::describe_crash(*crash);
    const std::string stack = symbolize(platform::crash_frames(*crash));
    if (!stack.empty()) text += ", at\n" + stack;
  }
  return {text, index, pid, status.code, platform::signal_name(status)};
}

namespace {
constexpr detail::TaskDescriptor nothing_to_run = {detail::task_magic, 0,
                                                   [](const void*, detail::Decoder&, detail::Encoder*) {}};
}  // namespace

detail::Target empty_target() noexcept { return {&nothing_to_run, nullptr}; }

}  // namespace runtime
}  // namespace multiprocessing
