// ProcessRaisedException: its text names the place in the child where it was thrown. Symbols are looked up
// when somebody asks for it, not when the child fails.
#include "wire/raised_details.hpp"

namespace multiprocessing {

std::string ProcessRaisedException::Details::render() const {
  std::string text = report_->type_name;
  if (!report_->message.empty()) text += ": " + report_->message;
  text += "\n  in process " + std::to_string(index_) + " (pid " + std::to_string(pid_) + ")";
  std::string stack = report_->first_trace;
  if (symbolize_ != nullptr) stack += symbolize_(report_->frames);
  if (!stack.empty()) text += ", thrown at\n" + stack;
  return text;
}

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

}  // namespace multiprocessing
