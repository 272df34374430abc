// Crash reports: a filter for exceptions that nobody handles, and a handler of SIGABRT, where uncaught C++
// exceptions and abort() end. Both write the record by one overlapped write, whose event was made when
// reports were armed, and then let things go on as they would have. Reported are the exception's code and
// address; frames are left empty. A stack overflow leaves the armed thread 64 KiB for this; other threads
// have no such reserve. Fail-fast exceptions and heap corruption end a process without asking any filter:
// they are seen by its exit code.
#include "contract/crash.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "contract/fault.hpp"
#include "exception_names.hpp"
#include "win32.hpp"

namespace multiprocessing::platform {

using namespace win32;

namespace {

constexpr DWORD write_limit_ms = 1000;
constexpr ULONG stack_reserve = 64 * 1024;
constexpr DWORD access_violation = 0xC0000005;
constexpr DWORD in_page_error = 0xC0000006;
constexpr DWORD aborted = 0x40000015;  // STATUS_FATAL_APP_EXIT

using SignalHandler = void (*)(int);

/// All that a dying process needs, in one place that is there already.
struct Reporter {
  bool installed = false;
  RawHandle output = no_handle;
  RawHandle written = no_handle;  ///< event of the write; not closed at exit, where a crash is still reported
  std::size_t prefix_size = 0;
  std::array<std::byte, crash_prefix_capacity + sizeof(CrashRecord)> message = {};
  std::atomic<bool> used{false};
  LPTOP_LEVEL_EXCEPTION_FILTER previous_filter = nullptr;
  SignalHandler previous_abort = SIG_DFL;
};
Reporter reporter;

void write_report(const CrashRecord& record) noexcept {
  if (reporter.written == no_handle || reporter.used.exchange(true)) return;
  std::memcpy(reporter.message.data() + reporter.prefix_size, &record, sizeof(record));
  const auto size = static_cast<DWORD>(reporter.prefix_size + sizeof(record));
  OVERLAPPED operation = {};
  // The low bit: no completion may arrive at a port that the channel is bound to.
  operation.hEvent = native(reporter.written | 1);
  if (WriteFile(native(reporter.output), reporter.message.data(), size, nullptr, &operation) ||
      GetLastError() != ERROR_IO_PENDING) {
    return;
  }
  if (WaitForSingleObject(native(reporter.written), write_limit_ms) == WAIT_OBJECT_0) return;
  CancelIoEx(native(reporter.output), &operation);
  DWORD count = 0;
  GetOverlappedResult(native(reporter.output), &operation, &count, TRUE);
}

CrashRecord record_of(const EXCEPTION_RECORD& exception) noexcept {
  CrashRecord record;
  record.magic = CrashRecord::expected_magic;
  record.code = static_cast<std::int32_t>(exception.ExceptionCode);
  const bool has_access =
      exception.ExceptionCode == access_violation || exception.ExceptionCode == in_page_error;
  if (has_access && exception.NumberParameters >= 2) {
    record.sub_code = static_cast<std::int32_t>(exception.ExceptionInformation[0]);
    record.fault_address = exception.ExceptionInformation[1];
  } else {
    record.fault_address = reinterpret_cast<std::uintptr_t>(exception.ExceptionAddress);
  }
  return record;
}

LONG WINAPI on_unhandled(EXCEPTION_POINTERS* exception) {
  static CrashRecord record;  // a thread whose stack overflowed has little room
  if (!reporter.used) record = record_of(*exception->ExceptionRecord);
  write_report(record);
  return reporter.previous_filter != nullptr ? reporter.previous_filter(exception)
                                             : EXCEPTION_CONTINUE_SEARCH;
}

void on_abort(int number) {
  CrashRecord record;
  record.magic = CrashRecord::expected_magic;
  record.code = static_cast<std::int32_t>(aborted);
  write_report(record);
  // abort() ends the process as soon as this returns.
  const SignalHandler previous = reporter.previous_abort;
  if (previous != SIG_DFL && previous != SIG_IGN && previous != SIG_ERR) previous(number);
}

const char* verb_of(std::int32_t access) noexcept {
  if (access == 0) return " reading";
  return access == 1 ? " writing" : " executing";
}

}  // namespace

Status arm_crash_reports(RawHandle output, std::span<const std::byte> prefix) {
  if (const auto fault = fault_point(Call::arm_crash_report)) return *fault;
  if (!is_kernel_handle(output) || prefix.size() > crash_prefix_capacity) return mistake("arm_crash_reports");
  if (reporter.written == no_handle) {
    auto event = make_event();
    if (!event) return event.error();
    reporter.written = event->release();
  }
  std::copy(prefix.begin(), prefix.end(), reporter.message.begin());
  reporter.prefix_size = prefix.size();
  reporter.output = output;
  reporter.used = false;
  ULONG reserve = stack_reserve;
  SetThreadStackGuarantee(&reserve);
  if (!reporter.installed) {
    reporter.previous_filter = SetUnhandledExceptionFilter(&on_unhandled);
    reporter.previous_abort = std::signal(SIGABRT, &on_abort);
    reporter.installed = true;
  }
  return {};
}

void disarm_crash_reports() noexcept {
  if (!reporter.installed) return;
  const auto filter = SetUnhandledExceptionFilter(reporter.previous_filter);
  if (filter != &on_unhandled) SetUnhandledExceptionFilter(filter);
  const auto handler = std::signal(SIGABRT, reporter.previous_abort);
  if (handler != &on_abort) std::signal(SIGABRT, handler);
  reporter.installed = false;
  close_handle(std::exchange(reporter.written, no_handle));
}

void refresh_crash_images() {}

bool crash_reports_survive_overflow_in_threads() noexcept { return false; }

std::string describe_crash(const CrashRecord& record) {
  const auto code = static_cast<std::uint32_t>(record.code);
  std::string text = describe_exception(code);
  if (code == access_violation || code == in_page_error) text += verb_of(record.sub_code);
  if (record.fault_address == 0 && code != access_violation) return text;
  char address[32];
  std::snprintf(address, sizeof(address), " address 0x%llx",
                static_cast<unsigned long long>(record.fault_address));
  return text + address;
}

}  // namespace multiprocessing::platform
