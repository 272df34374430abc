// ProcessRaisedException and ProcessExitedException, whose texts name the place in the child where it
// happened. Symbols are looked up when somebody asks for the text, not when the child fails.
#include "launch/raised.hpp"

#include <mutex>
#include <string>
#include <utility>

#include "contract/crash.hpp"
#include "launch/symbolize.hpp"

namespace multiprocessing {

class ProcessRaisedException::Details {
 public:
  Details(std::shared_ptr<const runtime::ExceptionReport> report, int index, int pid)
      : report_(std::move(report)), index_(index), pid_(pid) {}

  [[nodiscard]] const runtime::ExceptionReport& report() const noexcept { return *report_; }
  [[nodiscard]] const char* text() const {
    std::call_once(once_, [this] { text_ = render(); });
    return text_.c_str();
  }

 private:
  [[nodiscard]] std::string render() const {
    std::string text = report_->type_name;
    if (!report_->message.empty()) text += ": " + report_->message;
    text += "\n  in process " + std::to_string(index_) + " (pid " + std::to_string(pid_) + ")";
    const std::string stack = runtime::symbolize(report_->frames);
    if (!stack.empty()) text += ", thrown at\n" + stack;
    return text;
  }

  std::shared_ptr<const runtime::ExceptionReport> report_;
  int index_;
  int pid_;
  mutable std::once_flag once_;
  mutable std::string text_;
};

ProcessRaisedException::ProcessRaisedException(std::shared_ptr<const Details> details, int index, int pid)
    : ProcessException(details->report().type_name + ": " + details->report().message, index, pid),
      details_(std::move(details)) {}
ProcessRaisedException::~ProcessRaisedException() = default;

const char* ProcessRaisedException::what() const noexcept {
  try {
    return details_->text();
  } catch (...) {
    return ProcessException::what();  // out of memory while looking for names: the plain text is there
  }
}
const std::string& ProcessRaisedException::type_name() const noexcept { return details_->report().type_name; }
const std::string& ProcessRaisedException::message() const noexcept { return details_->report().message; }

namespace runtime {

/// Makes Details, which only members of the exception may name.
ProcessRaisedException raised_exception(std::shared_ptr<const ExceptionReport> report, int index, int pid) {
  return {std::make_shared<const ProcessRaisedException::Details>(std::move(report), index, pid), index, pid};
}

ProcessExitedException exited_exception(detail::ProcessState& child, int index) {
  const auto status = child.exit_status().value_or(platform::ExitStatus{});
  const int pid = child.pid().value_or(0);
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
