// Starting programs: CreateProcessW through our launcher (launcher.hpp), set up by initializers.
//
// Windows inherits handles by a mark on each handle, which any other thread that starts a program would take
// along. So the standard streams are duplicated inheritable, and `inherited` is marked, only under a lock of
// the process and only for the length of the call, and a list in the child's attributes names exactly these.
// A child that ends with its parent is born into the parent's job (job.hpp); where the system cannot do that,
// or refuses it, it is born suspended and put there before it runs, or else does not run at all. It leads a
// process group of its own, so that a CTRL_BREAK reaches it alone.
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cwchar>
#include <optional>
#include <vector>

#include "child_state.hpp"
#include "command_line.hpp"
#include "contract/fault.hpp"
#include "contract/process.hpp"
#include "environment.hpp"
#include "job.hpp"
#include "launch_parts.hpp"
#include "launcher.hpp"

namespace multiprocessing::platform {

using namespace win32;

namespace {

/// The request in the system's own words; nothing is done yet.
struct Plan {
  std::wstring executable;
  std::wstring command_line;
  std::wstring environment;  ///< empty: this process's
  std::wstring working_directory;
};

/// One or two attributes of the child beyond what STARTUPINFO says. What they point to must outlive it.
class AttributeList {
 public:
  AttributeList() = default;
  AttributeList(const AttributeList&) = delete;
  AttributeList& operator=(const AttributeList&) = delete;
  ~AttributeList() {
    if (list_ != nullptr) DeleteProcThreadAttributeList(list_);
  }

  Status prepare() {
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(nullptr, 2, 0, &size);
    storage_.resize(size);
    const auto list = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(storage_.data());
    if (!InitializeProcThreadAttributeList(list, 2, 0, &size))
      return last_error("InitializeProcThreadAttributeList");
    list_ = list;
    return {};
  }
  [[nodiscard]] bool set(DWORD_PTR attribute, std::span<HANDLE> handles) noexcept {
    return UpdateProcThreadAttribute(list_, 0, attribute, handles.data(), handles.size_bytes(), nullptr,
                                     nullptr) != FALSE;
  }
  [[nodiscard]] LPPROC_THREAD_ATTRIBUTE_LIST get() const noexcept { return list_; }

 private:
  std::vector<std::byte> storage_;
  LPPROC_THREAD_ATTRIBUTE_LIST list_ = nullptr;
};

/// Marks a handle inheritable while it lives, and leaves it as it was.
class MarkedInheritable {
 public:
  explicit MarkedInheritable(RawHandle handle) noexcept : handle_(handle) {}
  MarkedInheritable(const MarkedInheritable&) = delete;
  MarkedInheritable& operator=(const MarkedInheritable&) = delete;
  ~MarkedInheritable() {
    if (marked_) SetHandleInformation(native(handle_), HANDLE_FLAG_INHERIT, before_ & HANDLE_FLAG_INHERIT);
  }
  Status mark() noexcept {
    if (handle_ == no_handle) return {};
    if (!is_kernel_handle(handle_) || !GetHandleInformation(native(handle_), &before_) ||
        !SetHandleInformation(native(handle_), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) {
      return mistake("LaunchRequest::inherited");
    }
    marked_ = true;
    return {};
  }

 private:
  RawHandle handle_;
  DWORD before_ = 0;
  bool marked_ = false;
};

/// Initializer: the handles that the child gets, and their list.
class InheritedHandles {
 public:
  InheritedHandles(const LaunchRequest& request, AttributeList& attributes) noexcept
      : request_(request), attributes_(attributes), marked_(request.inherited) {}

  Status prepare() {
    if (auto status = marked_.mark(); !status) return status;
    if (request_.inherited != no_handle) list_.push_back(native(request_.inherited));
    for (std::size_t i = 0; i < copies_.size(); ++i) {
      auto copy = open_stream(request_.streams[i], i, TRUE);
      if (!copy) return copy.error();
      copies_[i] = std::move(*copy);
      if (copies_[i]) list_.push_back(native(copies_[i]));
    }
    return {};
  }

  process_v2::error_code on_setup(Launcher& launcher, const std::filesystem::path&, std::wstring&) {
    auto& startup = launcher.startup_info.StartupInfo;
    if (!leaves_streams_to_new_console()) {
      startup.dwFlags |= STARTF_USESTDHANDLES;
      startup.hStdInput = stream(0);
      startup.hStdOutput = stream(1);
      startup.hStdError = stream(2);
    }
    if (list_.empty()) return {};
    launcher.inherit_handles = true;
    return attributes_.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, list_) ? process_v2::error_code()
                                                                     : Launcher::last_boost_error();
  }

 private:
  [[nodiscard]] HANDLE stream(std::size_t index) const noexcept {
    return copies_[index] ? native(copies_[index]) : nullptr;
  }
  [[nodiscard]] bool leaves_streams_to_new_console() const noexcept {
    return request_.new_console &&
           std::all_of(request_.streams.begin(), request_.streams.end(),
                       [](const auto& stream) { return stream.source == StreamBinding::Source::inherit; });
  }

  const LaunchRequest& request_;
  AttributeList& attributes_;
  MarkedInheritable marked_;
  std::array<Handle, 3> copies_;
  std::vector<HANDLE> list_;
};

/// Initializer: the job that ends the child with its parent.
class MembershipInJob {
 public:
  MembershipInJob(HANDLE job, bool by_attribute, AttributeList& attributes) noexcept
      : job_(job), by_attribute_(by_attribute), attributes_(attributes) {}

  process_v2::error_code on_setup(Launcher& launcher, const std::filesystem::path&, std::wstring&) {
    if (job_ == nullptr) return {};
    by_attribute_ = by_attribute_ && attributes_.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, std::span(&job_, 1));
    if (!by_attribute_) launcher.creation_flags |= CREATE_SUSPENDED;
    return {};
  }
  void on_success(Launcher& launcher, const std::filesystem::path&, std::wstring&) {
    if (job_ == nullptr || by_attribute_) return;
    if (AssignProcessToJobObject(job_, launcher.process_information.hProcess))
      ResumeThread(launcher.process_information.hThread);
    else
      refusal_ = last_error("AssignProcessToJobObject");
  }
  /// Why the child, which does not run yet, could not be put into the job.
  [[nodiscard]] const std::optional<Error>& refusal() const noexcept { return refusal_; }

 private:
  HANDLE job_;
  bool by_attribute_;
  AttributeList& attributes_;
  std::optional<Error> refusal_;
};

/// Initializer: environment, priority, console, process group.
struct Circumstances {
  const LaunchRequest& request;
  Plan& plan;

  process_v2::error_code on_setup(Launcher& launcher, const std::filesystem::path&, std::wstring&) const {
    launcher.creation_flags |=
        CREATE_UNICODE_ENVIRONMENT | CREATE_NEW_PROCESS_GROUP | priority_flags(request.priority);
    if (request.new_console) {
      launcher.creation_flags |= CREATE_NEW_CONSOLE;
    } else if (!has_console()) {
      launcher.creation_flags |= CREATE_NO_WINDOW;
    }
    if (!plan.environment.empty()) launcher.environment = plan.environment.data();
    return {};
  }
};

constexpr std::size_t longest_path = 32767;

bool has_separator(std::wstring_view path) { return path.find_first_of(L"\\/:") != std::wstring_view::npos; }

/// In the folders of PATH alone: not, as the system would have it, in the current one first.
Result<std::wstring> find_in_path(const std::wstring& name) {
  const auto path =
      grown_text([](wchar_t* text, DWORD size) { return GetEnvironmentVariableW(L"PATH", text, size); });
  auto found = grown_text([&](wchar_t* text, DWORD size) {
    return SearchPathW(path.c_str(), name.c_str(), L".exe", size, text, nullptr);
  });
  if (path.empty() || found.empty()) return Error{Condition::not_found, ERROR_FILE_NOT_FOUND, "SearchPathW"};
  return found;
}

/// Batch files are run by a command interpreter that takes the command line apart by rules under which
/// arguments could not be passed as they are; so they are not programs here.
bool is_batch_file(std::wstring_view path) {
  path = path.substr(0, path.find_last_not_of(L" .") + 1);
  const auto ends_with = [path](const wchar_t* extension) {
    return path.size() >= 4 &&
           CompareStringOrdinal(path.data() + path.size() - 4, 4, extension, 4, TRUE) == CSTR_EQUAL;
  };
  return ends_with(L".bat") || ends_with(L".cmd");
}

Result<std::wstring> find_executable(const std::string& name) {
  auto path = widen_path(name);
  if (!path || path->empty()) return path ? mistake("LaunchRequest::executable") : path.error();
  if (path->size() > longest_path) return Error{Condition::too_long, 0, "LaunchRequest::executable"};
  if (!has_separator(*path)) path = find_in_path(*path);
  if (path && is_batch_file(*path)) return Error{Condition::not_executable, 0, "CreateProcessW"};
  return path;
}

/// Looked at before any handle is made, which would take the number of one that is closed.
bool handles_are_open(const LaunchRequest& request) noexcept {
  const auto is_open = [](RawHandle handle) {
    DWORD flags = 0;
    return is_kernel_handle(handle) && GetHandleInformation(native(handle), &flags);
  };
  return (request.inherited == no_handle || is_open(request.inherited)) &&
         std::all_of(request.streams.begin(), request.streams.end(), [&](const StreamBinding& stream) {
           return stream.source != StreamBinding::Source::handle || is_open(stream.handle);
         });
}

Result<Plan> plan_launch(const LaunchRequest& request) {
  if (request.arguments.empty()) return mistake("LaunchRequest::arguments");
  if (!handles_are_open(request)) return mistake("LaunchRequest");
  Plan plan;
  auto line = join_command_line(request.arguments);
  if (!line) return line.error();
  plan.command_line = std::move(*line);
  if (request.environment) {
    auto block = environment_block(*request.environment);
    if (!block) return block.error();
    plan.environment = std::move(*block);
  }
  auto directory = widen(request.working_directory);
  if (!directory) return directory.error();
  if (directory->size() > longest_path) return Error{Condition::too_long, 0, "working directory"};
  plan.working_directory = std::move(*directory);
  auto executable = find_executable(request.executable);
  if (!executable) return executable.error();
  plan.executable = std::move(*executable);
  return plan;
}

/// Processes of Boost's want an executor, although nothing is ever awaited on this one. Lives as long as the
/// process.
boost::asio::io_context& executors() {
  static auto& context = *new boost::asio::io_context(1);
  return context;
}

/// Guards the marks on handles. Not a std::mutex, which keeps a handle with some libraries once threads met
/// at it.
class InheritanceLock {
 public:
  InheritanceLock() noexcept { AcquireSRWLockExclusive(&lock_); }
  InheritanceLock(const InheritanceLock&) = delete;
  InheritanceLock& operator=(const InheritanceLock&) = delete;
  ~InheritanceLock() { ReleaseSRWLockExclusive(&lock_); }

 private:
  static inline SRWLOCK lock_ = SRWLOCK_INIT;
};

bool is_folder(const std::wstring& path) noexcept {
  const DWORD attributes = GetFileAttributesW(path.c_str());
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

Error launch_error(const process_v2::error_code& error, const Plan& plan) noexcept {
  const auto code = static_cast<DWORD>(error.value());
  if (is_folder(plan.executable)) return {Condition::permission_denied, error.value(), "CreateProcessW"};
  return error_of(code, code == ERROR_DIRECTORY ? "working directory" : "CreateProcessW");
}

Result<ChildProcess> start(const LaunchRequest& request, Plan& plan, HANDLE job, bool job_by_attribute) {
  AttributeList attributes;
  if (auto status = attributes.prepare(); !status) return status.error();
  const InheritanceLock lock;
  InheritedHandles handles(request, attributes);
  if (auto status = handles.prepare(); !status) return status.error();
  MembershipInJob membership(job, job_by_attribute, attributes);
  auto state = std::make_unique<ChildProcess::State>();  // first: a lack of memory leaves no child behind
  Launcher launcher;
  launcher.startup_info.lpAttributeList = attributes.get();
  process_v2::error_code error;
  auto process =
      launcher(executors().get_executor(), error, plan.executable, plan.command_line, handles, membership,
               process_v2::process_start_dir(plan.working_directory), Circumstances{request, plan});
  if (error) return launch_error(error, plan);
  auto started = process.detach();
  auto own = duplicate_handle(raw(started.native_handle()));
  if (!own || membership.refusal()) {
    TerminateProcess(started.native_handle(), 1);
    const Handle closed(own ? *own : no_handle);
    return own ? *membership.refusal() : own.error();
  }
  state->process = Handle(*own);
  state->pid = static_cast<int>(started.id());
  return ChildProcess(std::move(state));
}

/// What systems that know jobs, but not this way into one, say; others say it for other reasons too.
bool may_be_about_the_job(const Error& error) noexcept {
  return error.native == ERROR_ACCESS_DENIED || error.native == ERROR_INVALID_PARAMETER ||
         error.native == ERROR_NOT_SUPPORTED;
}

}  // namespace

Result<std::string> find_program(const std::string& name) {
  const auto path = find_executable(name);
  if (!path) return path.error();
  return narrow(*path);
}

Result<ChildProcess> launch(const LaunchRequest& request) {
  if (const auto fault = fault_point(Call::launch)) return *fault;
  auto plan = plan_launch(request);
  if (!plan) return plan.error();
  HANDLE job = nullptr;
  if (request.ends_with_parent) {
    const auto made = children_job();
    if (!made) return made.error();
    job = *made;
  }
  const bool by_attribute = job != nullptr && !forced("no-job-list");
  auto started = start(request, *plan, job, by_attribute);
  if (!by_attribute || started || !may_be_about_the_job(started.error())) return started;
  return start(request, *plan, job, false);
}

}  // namespace multiprocessing::platform
