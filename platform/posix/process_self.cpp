// What a process does to itself after fork(): standard streams by dup2, folder, environment, niceness, limit
// of memory; and its end. The same rules for overlapping streams as in a launched child: sources that are
// standard streams are duplicated first. Manual pages: dup2(2), chdir(2), environ(7), setpriority(2).
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "contract/fault.hpp"
#include "contract/process.hpp"
#include "descriptor.hpp"
#include "error.hpp"
#include "niceness.hpp"
#include "system_facts.hpp"

extern "C" char** environ;

namespace multiprocessing::platform {
namespace {

using Source = StreamBinding::Source;

Result<Handle> source_of(const StreamBinding& binding) noexcept {
  if (binding.source == Source::null) return posix::open_file("/dev/null", O_RDWR);
  if (binding.handle < 0) return Error{Condition::invalid_argument, EBADF, "dup2"};
  return posix::duplicate(posix::to_fd(binding.handle));
}

// Where environ points to, once it was replaced. Never freed: others may hold what getenv() gave them.
struct Environment {
  std::vector<std::string> texts;
  std::vector<char*> pointers;
};

}  // namespace

namespace posix {

bool niceness_for(PriorityClass priority, int& niceness) noexcept {
  if (priority == PriorityClass::normal) return false;
  errno = 0;
  const int current = ::getpriority(PRIO_PROCESS, 0);
  niceness = std::max(current, priority == PriorityClass::below_normal ? 10 : 19);
  return true;
}

}  // namespace posix

Status bind_standard_streams(const std::array<StreamBinding, 3>& streams) noexcept {
  if (auto failure = fault_point(Call::bind_standard_streams)) return *failure;
  std::array<Handle, 3> sources;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (streams[i].source == Source::inherit) continue;
    auto source = source_of(streams[i]);
    if (!source) return source.error();
    sources[i] = *std::move(source);
  }
  for (std::size_t i = 0; i < streams.size(); ++i)
    if (sources[i] &&
        posix::retried([&] { return ::dup2(posix::to_fd(sources[i].get()), static_cast<int>(i)); }) == -1)
      return posix::last_error("dup2");
  return {};
}

Status change_working_directory(const std::string& path) noexcept {
  if (auto failure = fault_point(Call::change_working_directory)) return *failure;
  if (::chdir(path.c_str()) != 0) return posix::last_error("chdir");
  return {};
}

Status replace_environment(const std::vector<std::string>& environment) noexcept try {
  if (auto failure = fault_point(Call::replace_environment)) return *failure;
  const auto is_variable = [](const std::string& text) {
    const auto sign = text.find('=');
    return sign != 0 && sign != std::string::npos && text.find('\0') == std::string::npos;
  };
  if (!std::ranges::all_of(environment, is_variable))
    return Error{Condition::invalid_argument, EINVAL, "environ"};
  static std::vector<std::unique_ptr<Environment>>& kept = *new std::vector<std::unique_ptr<Environment>>;
  auto made = std::make_unique<Environment>();
  made->texts = environment;
  for (std::string& text : made->texts) made->pointers.push_back(text.data());
  made->pointers.push_back(nullptr);
  kept.push_back(std::move(made));
  environ = kept.back()->pointers.data();
  return {};
} catch (const std::bad_alloc&) {
  return Error{Condition::out_of_memory, ENOMEM, "environ"};
}

Status change_priority(PriorityClass priority) noexcept {
  if (auto failure = fault_point(Call::change_priority)) return *failure;
  int niceness = 0;
  if (!posix::niceness_for(priority, niceness)) return {};
  if (::setpriority(PRIO_PROCESS, 0, niceness) != 0) return posix::last_error("setpriority");
  return {};
}

// Blocked, not ignored: fork_process() gives its child an empty mask, and so the disposition that it had.
void hold_interrupts() noexcept {
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, nullptr);
}

Status limit_memory(std::uint64_t bytes) noexcept {
  if (auto failure = fault_point(Call::limit_memory)) return *failure;
  if (bytes == 0) return Error{Condition::invalid_argument, EINVAL, "setrlimit"};
  constexpr auto resource = posix::facts::memory_resource;
  if (!resource) return Error{Condition::not_supported, ENOSYS, "setrlimit"};
  // glibc's C++ interface wants an enumeration here.
  using Resource = decltype(RLIMIT_NOFILE);
  const auto which = static_cast<Resource>(*resource);
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0) return posix::last_error("getrlimit");
  const auto wanted = static_cast<rlim_t>(std::min<std::uint64_t>(bytes, std::numeric_limits<rlim_t>::max()));
  limit.rlim_max = std::min(limit.rlim_max, wanted);
  limit.rlim_cur = std::min(limit.rlim_cur, wanted);
  if (::setrlimit(which, &limit) != 0) return posix::last_error("setrlimit");
  return {};
}

void end_now(int code) noexcept { ::_exit(code); }

}  // namespace multiprocessing::platform
