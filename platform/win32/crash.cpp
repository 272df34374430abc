// Crash reports: a filter for exceptions that nobody handles, and a handler of SIGABRT, where uncaught C++
// exceptions and abort() end. Both walk the stack, write the record by one overlapped write, whose event was
// made when reports were armed, and then let things go on as they would have. Nothing here allocates or takes
// the loader's lock: modules come from a snapshot made before. A stack that overflowed has a reserve for this
// (stack_reserve.cpp). Fail-fast exceptions and heap corruption end a process without asking any filter: they
// are seen by its exit code.
#include "contract/crash.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

#include "contract/fault.hpp"
#include "exception_names.hpp"
#include "module_snapshot.hpp"
#include "stack_reserve.hpp"
#include "stack_walk.hpp"
#include "win32.hpp"

namespace multiprocessing::platform {

using namespace win32;

namespace {

constexpr DWORD write_limit_ms = 1000;
constexpr DWORD other_report_limit_ms = 2 * write_limit_ms;
constexpr DWORD access_violation = 0xC0000005;
constexpr DWORD in_page_error = 0xC0000006;
constexpr DWORD aborted = 0x40000015;  // STATUS_FATAL_APP_EXIT

using SignalHandler = void (*)(int);

/// All that a dying process needs, in one place that is there already: a thread whose stack overflowed has
/// little room.
struct Reporter {
  bool installed = false;
  RawHandle output = no_handle;
  RawHandle written = no_handle;  ///< event of the write; not closed at exit, where a crash is still reported
  RawHandle finished = no_handle;  ///< event: the report is out; kept as the other
  std::size_t prefix_size = 0;
  std::array<std::byte, crash_prefix_capacity + sizeof(CrashRecord)> message = {};
  std::atomic<DWORD> thread{0};  ///< the first that crashed
  std::atomic<bool> used{false};
  std::atomic<bool> held{false};     ///< another message is on its way over the output
  std::atomic<bool> sending{false};  ///< a report is
  CONTEXT registers = {};
  std::array<std::uintptr_t, CrashRecord::frame_capacity + 1> addresses = {};
  CrashRecord record;
  LPTOP_LEVEL_EXCEPTION_FILTER previous_filter = nullptr;
  SignalHandler previous_abort = SIG_DFL;
};
Reporter reporter;
std::atomic<const ModuleSnapshot*> known_modules = nullptr;

void write_report() noexcept {
  if (reporter.written == no_handle || reporter.used.exchange(true)) return;
  std::memcpy(reporter.message.data() + reporter.prefix_size, &reporter.record, sizeof(reporter.record));
  const auto size = static_cast<DWORD>(reporter.prefix_size + sizeof(reporter.record));
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

std::uint64_t index_of(const ModuleSnapshot::Module& module) noexcept {
  CrashRecord& record = reporter.record;
  for (std::uint64_t i = 0; i < record.image_count; ++i) {
    if (record.images[i].hash == module.hash) return i;
  }
  if (record.image_count == record.images.size()) return CrashFrame::no_image;
  CrashImage& entry = record.images[record.image_count];
  entry.hash = module.hash;
  std::memcpy(entry.path.data(), module.path.data(), std::min(module.path.size(), entry.path.size() - 1));
  return record.image_count++;
}

// What was found of the stack, but for the innermost `own` frames.
void add_frames(std::size_t own) noexcept {
  CrashRecord& record = reporter.record;
  const ModuleSnapshot* modules = known_modules;
  for (std::size_t i = own; i < reporter.addresses.size() && reporter.addresses[i] != 0; ++i) {
    if (record.frame_count == record.frames.size()) return;
    CrashFrame frame{CrashFrame::no_image, reporter.addresses[i]};
    const auto* module = modules != nullptr ? modules->find(frame.offset) : nullptr;
    if (module != nullptr) frame.image = index_of(*module);
    if (frame.image != CrashFrame::no_image) frame.offset -= module->begin;
    record.frames[record.frame_count++] = frame;
  }
}

void send_report(std::size_t own_frames) noexcept {
  if (reporter.record.frame_count == 0) add_frames(own_frames);
  reporter.sending = true;  // before the look: of this thread and one that holds reports one sees the other
  if (!reporter.held) write_report();
  reporter.sending = false;
  SetEvent(native(reporter.finished));
}

/// Whether this thread is the one to report. Another waits for the report to be out, since to go on is to end
/// the process; a second crash of the same thread is one of the report itself, and sends what there is.
bool claim_report() noexcept {
  if (reporter.written == no_handle || reporter.used) return false;
  DWORD nobody = 0;
  const DWORD self = GetCurrentThreadId();
  if (reporter.thread.compare_exchange_strong(nobody, self)) return true;
  if (nobody == self)
    send_report(0);
  else
    WaitForSingleObject(native(reporter.finished), other_report_limit_ms);
  return false;
}

void begin_record(const EXCEPTION_RECORD& exception) noexcept {
  CrashRecord& record = reporter.record;
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
}

LONG WINAPI on_unhandled(EXCEPTION_POINTERS* exception) {
  if (claim_report()) {
    begin_record(*exception->ExceptionRecord);
    walk_stack(*exception->ContextRecord, reporter.addresses);
    send_report(0);
  }
  return reporter.previous_filter != nullptr ? reporter.previous_filter(exception)
                                             : EXCEPTION_CONTINUE_SEARCH;
}

void on_abort(int number) {
  if (claim_report()) {
    reporter.record.magic = CrashRecord::expected_magic;
    reporter.record.code = static_cast<std::int32_t>(aborted);
    RtlCaptureContext(&reporter.registers);
    walk_stack(reporter.registers, reporter.addresses);
    send_report(1);
  }
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
  if (known_modules == nullptr) refresh_crash_images();
  for (RawHandle* kept : {&reporter.written, &reporter.finished}) {
    if (*kept != no_handle) continue;
    auto event = make_event();
    if (!event) return event.error();
    *kept = event->release();
  }
  std::copy(prefix.begin(), prefix.end(), reporter.message.begin());
  reporter.prefix_size = prefix.size();
  reporter.output = output;
  reporter.record = {};
  reporter.addresses = {};
  reporter.thread = 0;
  reporter.used = false;
  reporter.held = false;
  reporter.sending = false;
  ResetEvent(native(reporter.finished));
  reserve_stacks();
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
  leave_stacks_alone();
  close_handle(std::exchange(reporter.written, no_handle));
  close_handle(std::exchange(reporter.finished, no_handle));
}

void hold_crash_reports() noexcept {
  reporter.held = true;
  while (reporter.sending) Sleep(1);  // ends: a report has little patience
}

void release_crash_reports() noexcept { reporter.held = false; }

// Older tables are kept: a crash may be reading one. There is one for each library that was loaded.
void refresh_crash_images() {
  static std::mutex& mutex = *new std::mutex;
  static auto& tables = *new std::vector<std::unique_ptr<const ModuleSnapshot>>;
  const std::lock_guard lock(mutex);
  tables.push_back(std::make_unique<const ModuleSnapshot>(ModuleSnapshot::take()));
  known_modules = tables.back().get();
}

bool crash_reports_survive_overflow_in_threads() noexcept { return true; }

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
