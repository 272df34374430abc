// What a ProcessRaisedException knows, and how its text is made when somebody asks for it.
#pragma once

#include <memory>
#include <multiprocessing/errors.hpp>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "wire/exception_report.hpp"

namespace multiprocessing {

class ProcessRaisedException::Details {
 public:
  /// The names of the frames, a line each.
  using Symbolize = std::string (*)(std::span<const platform::FrameLocation>);

  /// `symbolize` may be null: then the text shows no stack.
  Details(std::shared_ptr<const runtime::ExceptionReport> report, Symbolize symbolize, int index, int pid)
      : report_(std::move(report)), symbolize_(symbolize), index_(index), pid_(pid) {}

  [[nodiscard]] const runtime::ExceptionReport& report() const noexcept { return *report_; }
  [[nodiscard]] const char* text() const {
    std::call_once(once_, [this] { text_ = render(); });
    return text_.c_str();
  }

 private:
  [[nodiscard]] std::string render() const;

  std::shared_ptr<const runtime::ExceptionReport> report_;
  Symbolize symbolize_;
  int index_;
  int pid_;
  mutable std::once_flag once_;
  mutable std::string text_;
};

}  // namespace multiprocessing
