// launch(): a request becomes a child. In five steps: plan (pure), prepare the handles, launch, the child's
// side (child_side.cpp, or posix_spawn's), report. The launch itself is a launcher in Boost.Process's sense:
// a callable that takes error, executable, arguments and initializers, and lets each initializer set it up
// through Boost's hooks. Boost's own launchers are not used because they allocate between fork and exec, race
// on the close-on-exec flag of their error pipe, and wait and kill by pid although they hold a pidfd. Nor is
// their basic_process: it takes an executor, and an io_context costs six descriptors' worth of system calls
// for each child. The executable is searched for by Boost.Process too. Manual pages: execve(2), environ(7).
#include "contract/process.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <new>
#include <utility>

// What Boost.Process 1.81 needs and does not include.
#include "os_calls.hpp"

#include <boost/optional.hpp>
#include <boost/type_traits.hpp>

#include <boost/process/v2/environment.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "child.hpp"
#include "contract/fault.hpp"
#include "error.hpp"
#include "niceness.hpp"
#include "start.hpp"

namespace multiprocessing::platform {
namespace {

namespace process_v2 = boost::process::v2;
using boost::system::error_code;

// ---- plan -------------------------------------------------------------------------------------------

struct Plan {
  std::string executable;
  std::vector<char*> arguments;
  std::vector<char*> environment;  // empty: this process's
};

bool holds_zero(const std::string& text) noexcept { return text.find('\0') != std::string::npos; }

bool is_variable(const std::string& text) noexcept {
  const auto sign = text.find('=');
  return sign != 0 && sign != std::string::npos && !holds_zero(text);
}

bool is_open(RawHandle handle) noexcept {
  return handle >= 0 && handle < INT_MAX && ::fcntl(posix::to_fd(handle), F_GETFD) != -1;
}

// Handles are looked at before launch() makes any of its own, which might get a closed one's number.
bool makes_sense(const LaunchRequest& request) noexcept {
  if (request.executable.empty() || holds_zero(request.executable)) return false;
  if (request.arguments.empty() || std::ranges::any_of(request.arguments, holds_zero)) return false;
  if (request.environment && !std::ranges::all_of(*request.environment, is_variable)) return false;
  if (holds_zero(request.working_directory)) return false;
  for (const StreamBinding& binding : request.streams)
    if (binding.source == StreamBinding::Source::handle && !is_open(binding.handle)) return false;
  return request.inherited == no_handle || (request.inherited > STDERR_FILENO && is_open(request.inherited));
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// The path as the child can use it: it may be in another folder when it looks.
Result<std::string> find_executable(const LaunchRequest& request) {
  auto path = find_program(request.executable);
  if (!path || path->front() == '/' || request.working_directory.empty()) return path;
  std::error_code failure;
  const auto here = std::filesystem::current_path(failure);
  if (failure) return posix::error_of(failure.value(), "getcwd");
  return (here / *path).string();
}

Result<Plan> make_plan(const LaunchRequest& request) {
  if (!makes_sense(request)) return Error{Condition::invalid_argument, EINVAL, "launch"};
  auto executable = find_executable(request);
  if (!executable) return executable.error();
  Plan plan{*std::move(executable), pointers_to(request.arguments), {}};
  if (request.environment) plan.environment = pointers_to(*request.environment);
  return plan;
}

// ---- prepare ----------------------------------------------------------------------------------------

// The sources of the child's standard streams, none of them another standard stream of ours: so the child
// can bind them one after the other.
struct PreparedStreams {
  std::array<int, 3> sources = {-1, -1, -1};
  std::vector<Handle> owned;
};

Result<int> prepare_stream(const StreamBinding& binding, int target, std::vector<Handle>& owned) {
  if (binding.source == StreamBinding::Source::inherit) return -1;
  if (binding.source == StreamBinding::Source::handle) {
    const int fd = posix::to_fd(binding.handle);
    if (fd == target || fd > STDERR_FILENO) return fd;
  }
  auto made = binding.source == StreamBinding::Source::null ? posix::open_file("/dev/null", O_RDWR)
                                                            : posix::duplicate(posix::to_fd(binding.handle));
  if (!made) return made.error();
  return posix::to_fd(owned.emplace_back(*std::move(made)).get());
}

Result<PreparedStreams> prepare_streams(const std::array<StreamBinding, 3>& bindings) {
  PreparedStreams prepared;
  for (std::size_t i = 0; i < bindings.size(); ++i) {
    auto source = prepare_stream(bindings[i], static_cast<int>(i), prepared.owned);
    if (!source) return source.error();
    prepared.sources[i] = *source;
  }
  return prepared;
}

// ---- launch -----------------------------------------------------------------------------------------

// Initializers: each fills its part of what the child is told.
struct WithStreams {
  const PreparedStreams& streams;
  template <class Launcher>
  error_code on_setup(Launcher& launcher, const process_v2::filesystem::path&, const char* const*) const {
    launcher.side.streams = streams.sources;
    return {};
  }
};

struct WithEnvironment {
  const std::vector<char*>& variables;
  template <class Launcher>
  error_code on_setup(Launcher& launcher, const process_v2::filesystem::path&, const char* const*) const {
    if (!variables.empty()) launcher.env = variables.data();
    return {};
  }
};

struct WithFolder {
  const std::string& path;
  template <class Launcher>
  error_code on_setup(Launcher& launcher, const process_v2::filesystem::path&, const char* const*) const {
    if (!path.empty()) launcher.side.directory = path.c_str();
    return {};
  }
};

struct WithInherited {
  RawHandle handle;
  template <class Launcher>
  error_code on_setup(Launcher& launcher, const process_v2::filesystem::path&, const char* const*) const {
    if (handle == no_handle) return {};
    launcher.side.inherited = posix::to_fd(handle);
    return {};
  }
};

struct WithPriority {
  PriorityClass priority;
  template <class Launcher>
  error_code on_setup(Launcher& launcher, const process_v2::filesystem::path&, const char* const*) const {
    launcher.side.set_niceness = posix::niceness_for(priority, launcher.side.niceness);
    return {};
  }
};

// Descriptors may have been opened under a limit that was higher; the usual ones were not.
int descriptor_bound() noexcept {
  constexpr rlim_t least = 65536;
  constexpr rlim_t most = 16 * 1024 * 1024;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return static_cast<int>(least);
  return static_cast<int>(std::clamp(limit.rlim_cur, least, most));
}

// What it started is in `started`.
struct Launcher : process_v2::posix::default_launcher {
  posix::ChildSide side;
  Result<posix::StartedChild> started = Error{Condition::other, 0, "launch"};

  template <class... Initializers>
  void operator()(error_code& ec, const process_v2::filesystem::path& executable,
                  const char* const* arguments, Initializers&&... initializers) {
    namespace hooks = process_v2::posix::detail;
    ec = hooks::on_setup(*this, executable, arguments, initializers...);
    if (!ec) start(executable, arguments, ec);
    if (ec)
      hooks::on_error(*this, executable, arguments, ec, initializers...);
    else
      hooks::on_success(*this, executable, arguments, initializers...);
  }

 private:
  void start(const process_v2::filesystem::path& executable, const char* const* arguments, error_code& ec) {
    side.executable = executable.c_str();
    side.arguments = const_cast<char* const*>(arguments);
    side.environment = const_cast<char* const*>(env);
    side.descriptor_bound = descriptor_bound();
    started = posix::start_child(side);
    if (started)
      this->pid = started->pid;
    else
      ec.assign(started.error().native, boost::system::system_category());
  }
};

Result<posix::StartedChild> launch_planned(const LaunchRequest& request, const Plan& plan,
                                           const PreparedStreams& streams) {
  Launcher launcher;
  error_code ec;
  launcher(ec, process_v2::filesystem::path(plan.executable), plan.arguments.data(), WithStreams{streams},
           WithEnvironment{plan.environment}, WithFolder{request.working_directory},
           WithInherited{request.inherited}, WithPriority{request.priority});
  return std::move(launcher.started);
}

}  // namespace

// ---- report -----------------------------------------------------------------------------------------

Result<std::string> find_program(const std::string& name) {
  const bool is_path = name.find('/') != std::string::npos;
  std::string path = is_path ? name : process_v2::environment::find_executable(name).string();
  if (path.empty()) return Error{Condition::not_found, ENOENT, "execve"};
  return path;
}

Result<ChildProcess> launch(const LaunchRequest& request) {
  if (auto failure = fault_point(Call::launch)) return *failure;
  posix::reap_dropped_children();
  auto plan = make_plan(request);
  if (!plan) return plan.error();
  auto streams = prepare_streams(request.streams);
  if (!streams) return streams.error();
  auto state = std::make_unique<ChildProcess::State>();
  auto started = launch_planned(request, *plan, *streams);
  if (!started) return started.error();
  state->begin(*std::move(started));
  return ChildProcess(std::move(state));
}

}  // namespace multiprocessing::platform
