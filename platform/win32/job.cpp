// One kill-on-close job with silent breakaway: direct children are members, their children are not. A limit
// of memory is a job of its own, inside of the one that a child was born into.
#include "job.hpp"

#include <algorithm>
#include <limits>
#include <mutex>

namespace multiprocessing::platform::win32 {
namespace {

Result<HANDLE> make_job() {
  Handle job(raw(CreateJobObjectW(nullptr, nullptr)));
  if (!job) return last_error("CreateJobObjectW");
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {};
  limits.BasicLimitInformation.LimitFlags =
      JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
  if (!SetInformationJobObject(native(job), JobObjectExtendedLimitInformation, &limits, sizeof(limits))) {
    return last_error("SetInformationJobObject");
  }
  return native(job.release());
}

}  // namespace

Result<HANDLE> children_job() {
  static std::mutex mutex;
  static HANDLE made = nullptr;
  const std::lock_guard lock(mutex);
  if (made == nullptr) {
    const auto job = make_job();
    if (!job) return job;
    made = *job;
  }
  return made;
}

Status limit_by_job(std::uint64_t bytes) noexcept {
  const Handle job(raw(CreateJobObjectW(nullptr, nullptr)));
  if (!job) return last_error("CreateJobObjectW");
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {};
  // What this process starts is no member: the other job's rule for who ends with whom would change.
  limits.BasicLimitInformation.LimitFlags =
      JOB_OBJECT_LIMIT_PROCESS_MEMORY | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
  limits.ProcessMemoryLimit =
      static_cast<SIZE_T>(std::min<std::uint64_t>(bytes, std::numeric_limits<SIZE_T>::max()));
  if (!SetInformationJobObject(native(job), JobObjectExtendedLimitInformation, &limits, sizeof(limits)))
    return last_error("SetInformationJobObject");
  if (!AssignProcessToJobObject(native(job), GetCurrentProcess()))
    return last_error("AssignProcessToJobObject");
  return {};
}

}  // namespace multiprocessing::platform::win32
