// From a child's report to the exceptions that users catch.
#pragma once

#include <memory>
#include <multiprocessing/errors.hpp>

#include "launch/process_state.hpp"
#include "wire/exception_report.hpp"

namespace multiprocessing::runtime {

[[nodiscard]] ProcessRaisedException raised_exception(std::shared_ptr<const ExceptionReport> report,
                                                      int index, int pid);

/// Of a child that ended without result or exception.
[[nodiscard]] ProcessExitedException exited_exception(detail::ProcessState& child, int index);

/// The target of a process that has none: it does nothing.
[[nodiscard]] detail::Target empty_target() noexcept;

}  // namespace multiprocessing::runtime
