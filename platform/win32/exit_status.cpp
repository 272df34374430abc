// Exit codes in words. Those of a process that an exception ended are the exception's NTSTATUS; the common
// ones have names.
#include <algorithm>
#include <cstdio>
#include <iterator>

#include "contract/process.hpp"
#include "exception_names.hpp"

namespace multiprocessing::platform {
namespace {

const char* name_of_signal(int code) noexcept { return code == -9 ? "SIGKILL" : "SIGTERM"; }

}  // namespace

std::string win32::describe_exception(std::uint32_t code) {
  struct Name {
    std::uint32_t code;
    const char* text;
  };
  static constexpr Name names[] = {
      {0xC0000005, "access violation"},
      {0xC0000006, "in-page error"},
      {0xC0000008, "invalid handle"},
      {0xC0000017, "no memory"},
      {0xC000001D, "illegal instruction"},
      {0xC0000025, "noncontinuable exception"},
      {0xC000008C, "array bounds exceeded"},
      {0xC000008E, "floating-point division by zero"},
      {0xC0000094, "integer division by zero"},
      {0xC0000095, "integer overflow"},
      {0xC0000096, "privileged instruction"},
      {0xC00000FD, "stack overflow"},
      {0xC0000135, "library not found"},
      {0xC0000139, "entry point not found"},
      {0xC000013A, "interrupted from the console"},
      {0xC0000142, "library could not be initialized"},
      {0xC0000374, "heap corruption"},
      {0xC0000409, "fail-fast exception"},
      {0xC0000602, "fail-fast exception"},
      {0x80000001, "guard page violation"},
      {0x80000002, "datatype misalignment"},
      {0x80000003, "breakpoint"},
      {0x80000004, "single step"},
      {0x40000015, "abort"},
      {0xE06D7363, "uncaught C++ exception"},
      {0x20474343, "uncaught C++ exception"},
  };
  char number[16];
  std::snprintf(number, sizeof(number), "0x%08X", static_cast<unsigned>(code));
  const auto* found =
      std::find_if(std::begin(names), std::end(names), [code](const Name& n) { return n.code == code; });
  return std::string(found != std::end(names) ? found->text : "exception") + " (" + number + ")";
}

std::string describe(const ExitStatus& status) {
  switch (status.kind) {
    case ExitStatus::Kind::exited:
      return "exit " + std::to_string(status.code);
    case ExitStatus::Kind::signalled:
      return "signal " + std::to_string(-status.code) + " (" + name_of_signal(status.code) + ")";
    case ExitStatus::Kind::faulted:
      return win32::describe_exception(static_cast<std::uint32_t>(status.code));
    case ExitStatus::Kind::unknown:
      break;
  }
  return "ended, exit code unknown";
}

std::optional<std::string> signal_name(const ExitStatus& status) {
  if (status.kind != ExitStatus::Kind::signalled) return std::nullopt;
  return name_of_signal(status.code);
}

}  // namespace multiprocessing::platform
