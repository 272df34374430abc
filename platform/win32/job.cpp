// One kill-on-close job with silent breakaway: direct children are members, their children are not.
#include "job.hpp"

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

}  // namespace multiprocessing::platform::win32
