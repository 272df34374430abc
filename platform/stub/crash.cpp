// No crash is reported.
#include "contract/crash.hpp"

#include "contract/fault.hpp"
#include "not_supported.hpp"

namespace multiprocessing::platform {

Status arm_crash_reports(RawHandle, std::span<const std::byte>) {
  if (const auto fault = fault_point(Call::arm_crash_report)) return *fault;
  return not_supported("arm_crash_reports");
}

void disarm_crash_reports() noexcept {}
void hold_crash_reports() noexcept {}
void release_crash_reports() noexcept {}
void refresh_crash_images() {}
bool crash_reports_survive_overflow_in_threads() noexcept { return false; }
std::string describe_crash(const CrashRecord& record) { return "crash " + std::to_string(record.code); }

}  // namespace multiprocessing::platform
