// The members of Process, and the functions around it.
#include <multiprocessing/process.hpp>

#include <cstdint>
#include <cstdlib>
#include <multiprocessing/context.hpp>
#include <multiprocessing/errors.hpp>
#include <span>
#include <utility>
#include <vector>

#include "contract/handle.hpp"
#include "contract/system.hpp"
#include "contract/throw_trace.hpp"
#include "launch/child_main.hpp"
#include "launch/process_state.hpp"
#include "launch/raised.hpp"
#include "launch/self.hpp"
#include "support/deadline.hpp"
#include "support/errors.hpp"
#include "support/wait.hpp"
#include "wire/handles.hpp"

namespace multiprocessing {
namespace {

detail::ProcessState& usable(const std::shared_ptr<detail::ProcessState>& state) {
  if (state == nullptr) throw ValueError("the process object was moved from");
  return *state;
}

/// Of the handles among arguments, for a call that keeps what it is given.
runtime::ArrivedHandles copies_of(std::span<const std::intptr_t> handles) {
  std::vector<platform::Handle> copies;
  copies.reserve(handles.size());
  for (const auto handle : handles)
    copies.emplace_back(runtime::value_or_throw(platform::duplicate_handle(handle), "run(): an argument"));
  return runtime::ArrivedHandles(std::move(copies));
}

}  // namespace

// ---- Process

Process::Process(detail::StartWith with, ProcessOptions options, std::unique_ptr<detail::Task> task) {
  if (task == nullptr && runtime::take_expected_object())
    state_ = detail::ProcessState::of_this_process();
  else
    state_ = std::make_shared<detail::ProcessState>(with, std::move(options), std::move(task));
}

Process::Process(std::shared_ptr<detail::ProcessState> state) noexcept : state_(std::move(state)) {}
Process::Process() : Process(ProcessOptions{}) {}
Process::Process(ProcessOptions options) : Process(detail::StartWith{}, std::move(options), nullptr) {}
Process::Process(Process&&) noexcept = default;
Process& Process::operator=(Process&&) noexcept = default;
Process::~Process() = default;

void Process::run() {
  auto* task = usable(state_).task_to_run();
  if (task == nullptr) return;
  // A child's copy is its own to use up. Here start() may still come, so that the target gets a copy.
  if (state_->is_self() || !task->portable()) return task->run(nullptr);
  detail::Encoder encoder;
  encoder.allow_handles();
  task->encode(encoder);
  auto handles = copies_of(encoder.handles());
  detail::Decoder decoder(encoder.bytes());
  decoder.offer_handles(handles.offer());
  task->target().descriptor->run(task->target().function, decoder, nullptr);
}

void Process::start(StopToken stop) {
  /// A Process as the start methods see it.
  class Started : public runtime::Subject {
   public:
    explicit Started(Process& process) noexcept : process_(process) {}
    [[nodiscard]] detail::ChildTarget target() const override { return process_.child_target(); }
    void encode(detail::Encoder& encoder) const override { process_.encode_for_child(encoder); }
    void run(detail::Encoder*) override { process_.run(); }
    void now_in_child() noexcept override { process_.state_->become_self(); }

   private:
    Process& process_;
  };
  Started subject(*this);
  usable(state_).start(subject, false, stop);
}

detail::ChildTarget Process::child_target() const {
  const auto& type = typeid(*this);
  if (type != typeid(Process) && type != typeid(SpawnProcess) && type != typeid(ForkServerProcess) &&
      type != typeid(ForkProcess))
    throw TypeError("start(): " + platform::demangled_type_name(type) +
                    " is derived from Process in a way that no other process can make; derive it from "
                    "multiprocessing::ProcessOf<" +
                    platform::demangled_type_name(type) + ">, or use \"fork\"");
  const auto* task = usable(state_).task();
  if (task == nullptr) return {runtime::empty_target(), "a process without target"};
  return {task->target(), "of process '" + name() + "'"};
}

void Process::encode_for_child(detail::Encoder& encoder) const {
  if (const auto* task = usable(state_).task()) task->encode(encoder);
}

void Process::join(StopToken stop) { usable(state_).join(platform::Deadline::never(), stop); }
bool Process::join(Duration timeout, StopToken stop) {
  return usable(state_).join(runtime::deadline_after(timeout), stop);
}
bool Process::is_alive() const { return usable(state_).is_alive(); }
void Process::interrupt() { usable(state_).send(platform::StopSignal::interrupt, "interrupt"); }
void Process::terminate() { usable(state_).send(platform::StopSignal::terminate, "terminate"); }
void Process::kill() { usable(state_).send(platform::StopSignal::kill, "kill"); }
void Process::stop(Duration grace, StopToken stop) { usable(state_).stop(grace, stop); }
void Process::close() { usable(state_).close(); }
std::string Process::name() const { return usable(state_).name(); }
void Process::set_name(std::string name) { usable(state_).set_name(std::move(name)); }
bool Process::daemon() const { return usable(state_).daemon(); }
void Process::set_daemon(bool daemon) { usable(state_).set_daemon(daemon); }
std::optional<int> Process::pid() const { return usable(state_).pid(); }
std::optional<int> Process::exitcode() const { return usable(state_).exitcode(); }
ExitKind Process::exit_kind() const { return usable(state_).exit_kind(); }
std::string Process::exit_reason() const { return usable(state_).exit_reason(); }
Sentinel Process::sentinel() const { return usable(state_).sentinel(); }
std::vector<std::byte> Process::authkey() const { return usable(state_).authkey(); }
void Process::set_authkey(ByteView key) {
  usable(state_).set_authkey(std::vector<std::byte>(key.data(), key.data() + key.size()));
}
ByteStream& Process::standard_input() { return usable(state_).stream(0); }
ByteStream& Process::standard_output() { return usable(state_).stream(1); }
ByteStream& Process::standard_error() { return usable(state_).stream(2); }

std::exception_ptr Process::exception() const {
  auto& state = usable(state_);
  const auto raised = state.raised();
  if (raised == nullptr) return nullptr;
  return std::make_exception_ptr(runtime::raised_exception(raised, 0, state.pid().value_or(0)));
}

SpawnProcess::SpawnProcess() : SpawnProcess(ProcessOptions{}) {}
SpawnProcess::SpawnProcess(ProcessOptions options)
    : Process(detail::StartWith{"spawn", "SpawnProcess"}, std::move(options), nullptr) {}
SpawnProcess::~SpawnProcess() = default;
ForkProcess::ForkProcess() : ForkProcess(ProcessOptions{}) {}
ForkProcess::ForkProcess(ProcessOptions options)
    : Process(detail::StartWith{"fork", "ForkProcess"}, std::move(options), nullptr) {}
ForkProcess::~ForkProcess() = default;
ForkServerProcess::ForkServerProcess() : ForkServerProcess(ProcessOptions{}) {}
ForkServerProcess::ForkServerProcess(ProcessOptions options)
    : Process(detail::StartWith{"forkserver", "ForkServerProcess"}, std::move(options), nullptr) {}
ForkServerProcess::~ForkServerProcess() = default;

void detail::refuse_derived_class(std::string_view class_of_child) {
  throw TypeError("start(): the class is derived further from ProcessOf<" + std::string(class_of_child) +
                  "> and the child could only make that; derive it from its own ProcessOf, or use \"fork\"");
}

// ---- the processes around this one

Process& current_process() {
  static Process& instance =
      *new Process(detail::ProcessFactory::from_state(detail::ProcessState::of_this_process()));
  return instance;
}

std::optional<ParentProcess> parent_process() {
  const auto name = runtime::self().parent_name();
  if (!name) return std::nullopt;
  return detail::ProcessFactory::parent(runtime::self().link()->parent().pid, *name);
}

std::vector<Process> active_children() {
  std::vector<Process> children;
  for (auto& state : detail::Registry::instance().active())
    children.push_back(detail::ProcessFactory::from_state(std::move(state)));
  return children;
}

bool ParentProcess::is_alive() const { return platform::is_alive(runtime::self().link()->parent()); }

void ParentProcess::join(StopToken stop) const { join(infinite, std::move(stop)); }

bool ParentProcess::join(Duration timeout, StopToken stop) const {
  if (!is_alive()) return true;
  const auto native = sentinel().native_handle().native();
  return runtime::wait_for_handle((platform::RawHandle)native, runtime::deadline_after(timeout), stop);
}

Sentinel ParentProcess::sentinel() const {
  return {NativeHandle((NativeHandle::native_type)runtime::end_of_parent()), 0};
}

int cpu_count() { return platform::cpu_count(); }
int process_cpu_count() { return platform::process_cpu_count(); }
StopToken stop_token() { return runtime::followed_stop_token(); }

void exit(int code) {
  if (runtime::self().forked()) runtime::leave_forked_child(code);
  std::exit(code);
}

namespace detail {

Process ProcessFactory::make(StartWith with, ProcessOptions options, std::unique_ptr<Task> task) {
  return Process(with, std::move(options), std::move(task));
}
Process ProcessFactory::from_state(std::shared_ptr<ProcessState> state) { return Process(std::move(state)); }
const std::shared_ptr<ProcessState>& ProcessFactory::state_of(const Process& process) noexcept {
  return process.state_;
}
ParentProcess ProcessFactory::parent(int pid, std::string name) {
  return ParentProcess(pid, std::move(name));
}

}  // namespace detail
}  // namespace multiprocessing
