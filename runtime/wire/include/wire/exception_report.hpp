// An exception on its way to another process: what it was, what it said, where it was thrown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <typeinfo>
#include <vector>

#include "contract/image.hpp"
#include "contract/throw_trace.hpp"

namespace multiprocessing::runtime {

/// Whose number an error code is. Codes of other categories are not thrown again: here they could mean
/// something else.
enum class ErrorCategory : std::uint8_t { generic, system, stream, future, other };

/// What some types of the table hold besides their message.
struct ExceptionDetails {
  std::int32_t index = 0;
  std::int32_t pid = 0;
  std::int32_t exit_code = 0;
  std::uint64_t task = 0;
  std::string first;   ///< a name: of a signal, a type, a path; the reason of an end; a RemoteError's what()
  std::string second;  ///< another path, or the message of that type
  std::vector<std::byte> bytes;
};

/// Written by the child, read by the parent. An aggregate: it travels field by field.
struct ExceptionReport {
  std::string type_name;         ///< as in source; of any length, since templates may be nested
  std::string message;           ///< what(); cut at 16 KiB; empty if it is not a std::exception
  std::uint32_t known_type = 0;  ///< which type of the table can be thrown again; 0: none
  std::int32_t error_code = 0;   ///< of a std::system_error and its like
  ErrorCategory category = ErrorCategory::generic;
  ExceptionDetails details;
  std::vector<platform::FrameLocation> frames;
  /// Where it was thrown, in words, if it has come from a further process: then there are no frames. Cut at
  /// 16 KiB.
  std::string first_trace;
};

/// What `raised` frames hold; one without a body was sent by a process that had no memory left to describe
/// its exception. Throws SerializationError.
[[nodiscard]] ExceptionReport read_report(std::span<const std::byte> body);

/// ExceptionReport::known_type for exceptions of exactly this type.
[[nodiscard]] std::uint32_t known_type_of(const std::type_info& type) noexcept;

/// To be called in a catch block. `trace` says where it was thrown.
[[nodiscard]] ExceptionReport describe_current_exception(const platform::ThrowTrace& trace);
/// The report of a failure that is described here, as if `type_name` had been thrown without a trace.
[[nodiscard]] ExceptionReport describe_exception(const std::exception_ptr& exception);

/// The report in no more than `most` bytes once it is encoded, which are 40 KiB at least: the type's name is
/// cut, and so many of the outermost frames are left out. It has to be without details.
[[nodiscard]] ExceptionReport cut_to_fit(ExceptionReport report, std::size_t most);

/// The exception again: with its own type if that is the standard library's or ours — a RemoteError with
/// the stack trace nested in it — else as RemoteError. `trace` is the rendered stack of report.frames.
[[nodiscard]] std::exception_ptr rebuild_exception(const ExceptionReport& report, const std::string& trace);

}  // namespace multiprocessing::runtime
