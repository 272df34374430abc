// Facts about this process and machine that all POSIX systems tell alike: sysconf, getrlimit, getenv, the
// folder of open descriptors; and background threads, which are born with all signals blocked. The rest is in
// the leaves: linux/executable.cpp, linux/processors.cpp, macos/executable.cpp, freebsd/system.cpp. Manual
// pages: sysconf(3), getrlimit(2), pthread_create(3).
#include "contract/system.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include <dirent.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "contract/fault.hpp"
#include "error.hpp"
#include "os_calls.hpp"
#include "process_table.hpp"
#include "processors.hpp"
#include "sentinel.hpp"
#include "signals.hpp"

namespace multiprocessing::platform {
namespace {

using Work = std::function<void()>;

extern "C" void* run_work(void* argument) {
  const std::unique_ptr<Work> work(static_cast<Work*>(argument));
  (*work)();
  return nullptr;
}

// Of whole pages; never less than threads get anyway.
void make_room_as_in_first(pthread_attr_t& attributes) noexcept {
  constexpr std::size_t without_limit = std::size_t{8} << 20;
  rlimit limit{};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto wanted =
      limit.rlim_cur == RLIM_INFINITY ? without_limit : static_cast<std::size_t>(limit.rlim_cur);
  std::size_t usual = 0;
  if (pthread_attr_getstacksize(&attributes, &usual) == 0 && wanted > usual)
    pthread_attr_setstacksize(&attributes, wanted / page * page);
}

}  // namespace

int cpu_count() noexcept { return static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN))); }

int process_cpu_count() noexcept {
  int count = cpu_count();
  if (const auto allowed = posix::allowed_processors())
    count = *allowed;  // affinity may name offline ones too
  if (const auto quota = posix::processor_quota()) count = std::min(count, *quota);
  return std::max(count, 1);
}

std::optional<std::string> environment_variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

std::optional<int> thread_count() noexcept {
  const auto count = posix::count_threads();
  if (!count) return std::nullopt;
  return std::max(1, *count - posix::count_waiting_threads());
}

std::optional<int> open_handle_count() noexcept {
  DIR* const folder = ::opendir(posix::os::descriptor_folder);
  if (folder == nullptr) return std::nullopt;
  int count = -1;  // the folder itself
  while (const dirent* entry = ::readdir(folder))
    if (entry->d_name[0] != '.') ++count;
  ::closedir(folder);
  return count;
}

std::optional<std::uint64_t> handle_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

Status run_in_background(std::function<void()> work, StackSize stack) {
  if (auto failure = fault_point(Call::run_in_background)) return *failure;
  auto argument = std::make_unique<Work>(std::move(work));
  pthread_attr_t attributes;
  if (const int failure = pthread_attr_init(&attributes))
    return posix::error_of(failure, "pthread_attr_init");
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  if (stack == StackSize::as_first) make_room_as_in_first(attributes);
  pthread_t thread;
  const int failure = [&] {
    const posix::AllSignalsBlocked blocked;  // the new thread inherits the mask
    return pthread_create(&thread, &attributes, &run_work, argument.get());
  }();
  pthread_attr_destroy(&attributes);
  if (failure != 0) return posix::start_error(failure, "pthread_create");
  (void)argument.release();  // the thread's
  return {};
}

}  // namespace multiprocessing::platform
