// The life of one child as its parent sees it: created, running, ended, closed. Its start: process_start.cpp.
#include "launch/process_state.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "launch/registry_mutex.hpp"
#include "launch/self.hpp"
#include "launch/stream_state.hpp"
#include "support/deadline.hpp"
#include "support/errors.hpp"
#include "support/wait.hpp"

namespace multiprocessing::detail {

using runtime::registry_mutex;

namespace {

std::uint64_t next_identity() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

std::vector<std::uint32_t> next_lineage() {
  auto lineage = runtime::self().lineage();
  lineage.push_back(runtime::self().next_child_number());
  return lineage;
}

[[noreturn]] void throw_cancelled() {
  throw CancelledError("the wait for a process was given up: a stop was requested");
}

void check_not_stopped(const StopToken& stop) {
  if (stop.stop_requested()) throw_cancelled();
}

}  // namespace

ProcessState::ProcessState(StartWith with, ProcessOptions options, std::unique_ptr<Task> task)
    : with_(with),
      options_(std::move(options)),
      owner_(platform::current_pid()),
      lineage_(next_lineage()),
      identity_(next_identity()),
      is_self_(false),
      name_(options_.name.empty() ? runtime::default_name(with.class_name, lineage_) : options_.name),
      daemon_(options_.daemon.value_or(runtime::self().daemon())),
      task_(std::move(task)) {}

ProcessState::ProcessState(SelfTag)
    : with_{},
      owner_(0),  // current_process() is a child's own in every child
      identity_(next_identity()),
      is_self_(true) {}

ProcessState::~ProcessState() {
  const std::scoped_lock lock(registry_mutex());
  Registry::instance().remove(this);
  release_handles();
}

std::shared_ptr<ProcessState> ProcessState::of_this_process() {
  return std::shared_ptr<ProcessState>(new ProcessState(SelfTag{}));
}

void ProcessState::become_self() noexcept {
  is_self_ = true;
  for (auto& stream : streams_) stream.reset();
}

// ---- checks; the mutex is held

std::string ProcessState::title() const {
  return "process '" + (is_self_ ? runtime::self().name() : name_) + "'";
}

bool ProcessState::owned() const noexcept { return owner_ == platform::current_pid(); }

void ProcessState::check_usable(const char* member) const {
  if (is_self_) return;
  if (!owned())
    throw AssertionError(std::string(member) + "(): " + title() +
                         " belongs to the process that made it, and this is not it");
  if (phase_ == Phase::closed) throw ValueError(std::string(member) + "(): the process object is closed");
}

void ProcessState::check_started(const char* member) const {
  check_usable(member);
  if (is_self_)
    throw AssertionError(std::string(member) + "(): this is the current process, not a child of it");
  if (phase_ == Phase::created || phase_ == Phase::starting)
    throw AssertionError(std::string(member) + "(): " + title() + " was not started");
}

void ProcessState::check_may_start(bool in_daemon) const {
  check_usable("start");
  if (is_self_ || phase_ != Phase::created)
    throw AssertionError("start(): " + title() + " was started before; a process object starts once");
  if (in_daemon)
    throw AssertionError(
        "start(): this process is daemonic, and daemonic processes are not allowed to have children");
}

// ---- what the child tells, and its end; the mutex is held

void ProcessState::note_report(runtime::Frame frame) {
  took_record_ = true;  // whatever it says, it knows why it was started
  switch (frame.kind) {
    case runtime::FrameKind::running:
      break;
    case runtime::FrameKind::finished:
      report_.result = std::move(frame.body);
      break;
    case runtime::FrameKind::raised:
      try {
        report_.raised = std::make_shared<runtime::ExceptionReport>(runtime::read_report(frame.body));
      } catch (const SerializationError&) {
        // A child that writes nonsense has told nothing; its exit code stands.
      }
      break;
    case runtime::FrameKind::crashed:
      if (auto record = platform::read_crash_record(frame.body))
        report_.crash = std::make_shared<platform::CrashRecord>(*record);
      break;
    case runtime::FrameKind::bootstrap:
    case runtime::FrameKind::stop:
    case runtime::FrameKind::handles:
      break;  // a child has no business to send these
  }
}

/// Of a child that runs, a part of a large result at a time: others want the mutex, too.
void ProcessState::read_reports(std::uint64_t at_most) {
  while (control_open_) switch (reader_.advance(control_, at_most)) {
      case runtime::FrameReader::State::complete:
        note_report(reader_.take());
        break;
      case runtime::FrameReader::State::waiting:
        return;
      case runtime::FrameReader::State::ended:
      case runtime::FrameReader::State::corrupt:
        control_open_ = false;
    }
}

bool ProcessState::refresh() {
  if (phase_ != Phase::running) return phase_ == Phase::ended || phase_ == Phase::closed;
  if (!owned()) return false;  // a copy of the application's own fork(): the reports are its parent's
  constexpr std::uint64_t at_once = 1 << 20;
  read_reports(at_once);
  status_ = child_.poll();
  if (!status_) return false;
  read_reports(~std::uint64_t{0});  // what it had sent by its end: no more than the channel holds
  ended_by_itself_ = status_->kind == platform::ExitStatus::Kind::exited;
  // Nobody can say what its code means.
  if (ended_by_itself_ && !took_record_) status_->kind = platform::ExitStatus::Kind::unknown;
  phase_ = Phase::ended;
  control_open_ = false;
  if (pins_ == 0) control_.close();
  Registry::instance().remove(this);
  return true;
}

bool ProcessState::only_its_word_is_missing() const noexcept {
  if (phase_ != Phase::running || !owned()) return false;
  const auto word = child_.expected_word();
  return word && word->handle != platform::no_handle;  // nobody knows when a debugger lets go of it
}

// ---- without the mutex

std::optional<platform::ExpectedWord> ProcessState::expected_word() {
  const std::scoped_lock lock(registry_mutex());
  return phase_ == Phase::running && owned() ? child_.expected_word() : std::nullopt;
}

// Whoever forked it may be stopped: others go on meanwhile. False if there was nothing to wait for.
bool ProcessState::settle(platform::Deadline deadline) {
  const Pin pin(*this);
  const auto word = expected_word();
  if (!word) return false;
  const auto until = std::min(deadline, word->deadline);
  if (word->handle == platform::no_handle)
    std::this_thread::sleep_for(until.remaining());
  else
    static_cast<void>(platform::wait_one(word->handle, until));
  return true;
}

// ---- members of Process

Task* ProcessState::task_to_run() {
  const std::scoped_lock lock(registry_mutex());
  check_usable("run");
  return task_.get();
}

bool ProcessState::advance() {
  const std::scoped_lock lock(registry_mutex());
  return refresh();
}

platform::RawHandle ProcessState::control_handle() {
  const std::scoped_lock lock(registry_mutex());
  return control_open_ ? control_.readable() : platform::no_handle;
}

ProcessState::Pin::Pin(ProcessState& state) noexcept : state_(state) {
  const std::scoped_lock lock(registry_mutex());
  ++state_.pins_;
}

ProcessState::Pin::~Pin() { state_.unpin(); }

void ProcessState::unpin() noexcept {
  const std::scoped_lock lock(registry_mutex());
  if (--pins_ > 0) return;
  if (phase_ == Phase::closed) release_handles();
  if (phase_ == Phase::ended) control_.close();
}

void ProcessState::done_reading() noexcept { unpin(); }

void ProcessState::kill_quietly() noexcept {
  const std::scoped_lock lock(registry_mutex());
  if (phase_ == Phase::running && owned()) static_cast<void>(child_.send(platform::StopSignal::kill));
}

void ProcessState::close_streams() noexcept {
  const std::scoped_lock lock(registry_mutex());
  for (auto& stream : streams_) {
    auto* const state = stream ? stream->state_.get() : nullptr;
    if (state == nullptr || state->let_go || state->users > 0)
      continue;  // somebody is there who reads or writes
    state->abandoned = true;
    state->channel.close();
  }
}

bool ProcessState::join(platform::Deadline deadline, const StopToken& stop) {
  const Pin pin(*this);
  platform::RawHandle ended = platform::no_handle;
  {
    const std::scoped_lock lock(registry_mutex());
    check_started("join");
    if (refresh()) return true;
    ended = child_.sentinel();
  }
  if (!runtime::wait_for_handle(ended, deadline, stop)) return false;
  for (;;) {
    const bool waited = settle(deadline);
    if (advance()) return true;
    if (!waited || deadline.expired()) return false;
    check_not_stopped(stop);
  }
}

bool ProcessState::join_reading(platform::Deadline deadline, const StopToken& stop) {
  const Pin pin(*this);
  while (!advance()) {
    if (settle(deadline)) {
      if (deadline.expired()) return false;
      check_not_stopped(stop);
      continue;
    }
    const runtime::StopWakeup wakeup(stop);
    std::vector<platform::RawHandle> handles = {sentinel_handle()};
    if (const auto control = control_handle(); control != platform::no_handle) handles.push_back(control);
    const auto stops = handles.size();
    if (wakeup.get() != nullptr) handles.push_back(wakeup.get()->waitable());
    const auto ready = runtime::value_or_throw(platform::wait_any(handles, deadline), "the end of a child");
    if (ready.empty()) return false;
    if (ready.front() == stops) throw_cancelled();
  }
  return true;
}

platform::RawHandle ProcessState::sentinel_handle() {
  const std::scoped_lock lock(registry_mutex());
  return child_.sentinel();
}

bool ProcessState::is_alive() {
  const std::scoped_lock lock(registry_mutex());
  check_usable("is_alive");
  return is_self_ || (!refresh() && phase_ == Phase::running && !only_its_word_is_missing());
}

void ProcessState::send(platform::StopSignal signal, const char* member) {
  const std::scoped_lock lock(registry_mutex());
  check_started(member);
  if (refresh()) return;
  const auto sent = child_.send(signal);
  if (sent || sent.error().condition == platform::Condition::gone) return;
  if (signal == platform::StopSignal::interrupt &&
      sent.error().condition == platform::Condition::not_supported)
    return request_stop();
  runtime::throw_os_error(sent.error(), title());
}

void ProcessState::request_stop() noexcept {
  // Where writes are begun and then waited for (Windows) one that is given no time at all may be taken back
  // before it is done. But the mutex is held, and hundreds of requests that were not read fill the channel: a
  // child that reads nothing gets no further one. terminate and kill are for that.
  constexpr std::chrono::milliseconds time_for_a_word(50);
  if (control_open_)
    static_cast<void>(runtime::send_frame(control_, runtime::FrameKind::stop, {},
                                          platform::Deadline::after(time_for_a_word)));
}

void ProcessState::stop(Duration grace, const StopToken& stop) {
  const Pin pin(*this);
  {
    const std::scoped_lock lock(registry_mutex());
    check_started("stop");
    if (refresh()) return;
    request_stop();
  }
  if (join_reading(runtime::deadline_after(grace), stop)) return;
  send(platform::StopSignal::terminate, "stop");
  if (join_reading(runtime::deadline_after(grace), stop)) return;
  send(platform::StopSignal::kill, "stop");
  join_reading(platform::Deadline::never(), stop);
}

void ProcessState::close() {
  settle();
  const std::scoped_lock lock(registry_mutex());
  if (phase_ == Phase::closed) return;
  check_usable("close");
  if (is_self_) throw ValueError("close(): the current process cannot be closed");
  refresh();
  if (phase_ == Phase::running || phase_ == Phase::starting)
    throw ValueError("close(): " + title() + " is still running; join() or terminate() it first");
  phase_ = Phase::closed;
  if (pins_ == 0) release_handles();
}

void ProcessState::release_handles() noexcept {
  child_ = platform::ChildProcess();
  control_open_ = false;
  control_.close();
  // Another thread may be reading or writing, and the application may name the stream for as long as its
  // process object lives.
  for (auto& stream : streams_)
    if (stream && stream->state_) stream->state_->close_once_unused();
}

void ProcessState::forget_handles() noexcept {
  release_handles();
  for (auto& stream : streams_) stream.reset();
}

std::string ProcessState::name() {
  if (is_self_) return runtime::self().name();
  const std::scoped_lock lock(registry_mutex());
  check_usable("name");
  return name_;
}

void ProcessState::set_name(std::string name) {
  if (is_self_) return runtime::self().set_name(std::move(name));
  const std::scoped_lock lock(registry_mutex());
  check_usable("set_name");
  name_ = std::move(name);
}

bool ProcessState::daemon() {
  if (is_self_) return runtime::self().daemon();
  const std::scoped_lock lock(registry_mutex());
  check_usable("daemon");
  return daemon_;
}

void ProcessState::set_daemon(bool daemon) {
  if (is_self_) return runtime::self().set_daemon(daemon);
  const std::scoped_lock lock(registry_mutex());
  check_usable("set_daemon");
  if (phase_ != Phase::created) throw AssertionError("set_daemon(): the process has started already");
  daemon_ = daemon;
}

std::optional<int> ProcessState::pid() {
  if (is_self_) return platform::current_pid();
  const std::scoped_lock lock(registry_mutex());
  check_usable("pid");
  return pid_ == 0 ? std::nullopt : std::optional(pid_);
}

int ProcessState::started_pid() {
  const std::scoped_lock lock(registry_mutex());
  return pid_;
}

std::optional<platform::ExitStatus> ProcessState::exit_status() {
  settle();
  const std::scoped_lock lock(registry_mutex());
  refresh();
  return status_;
}

std::optional<int> ProcessState::exitcode() {
  {
    const std::scoped_lock lock(registry_mutex());
    check_usable("exitcode");
  }
  const auto status = exit_status();
  return status ? std::optional(status->code) : std::nullopt;
}

ExitKind ProcessState::exit_kind(const char* member) {
  const auto status = exit_status();
  const std::scoped_lock lock(registry_mutex());
  check_usable(member);
  if (!status) return is_self_ || phase_ == Phase::running ? ExitKind::running : ExitKind::not_started;
  switch (status->kind) {
    case platform::ExitStatus::Kind::exited:
      return ExitKind::exited;
    case platform::ExitStatus::Kind::signalled:
      return ExitKind::signalled;
    case platform::ExitStatus::Kind::faulted:
      return ExitKind::faulted;
    case platform::ExitStatus::Kind::unknown:
      break;
  }
  return ExitKind::unknown;
}

std::string ProcessState::exit_reason() {
  const auto kind = exit_kind("exit_reason");
  if (kind == ExitKind::not_started) return "not started";
  if (kind == ExitKind::running) return "running";
  return end_in_words();
}

std::string ProcessState::end_in_words() {
  settle();
  const std::scoped_lock lock(registry_mutex());
  refresh();
  auto status = status_.value_or(platform::ExitStatus{});
  if (took_record_ || !ended_by_itself_) return platform::describe(status);
  status.kind = platform::ExitStatus::Kind::exited;
  return platform::describe(status) +
         " without having run its target: the program did not call freeze_support(), or ended before";
}

runtime::ChildReport ProcessState::report() {
  settle();
  const std::scoped_lock lock(registry_mutex());
  return refresh() ? report_ : runtime::ChildReport{};
}

runtime::ChildReport ProcessState::take_report() {
  settle();
  const std::scoped_lock lock(registry_mutex());
  if (!refresh()) return {};
  auto result = std::exchange(report_.result, std::nullopt);
  return {std::move(result), report_.raised, report_.crash};
}

std::shared_ptr<const runtime::ExceptionReport> ProcessState::raised() {
  {
    const std::scoped_lock lock(registry_mutex());
    check_usable("exception");
  }
  return report().raised;
}

Sentinel ProcessState::sentinel() {
  const std::scoped_lock lock(registry_mutex());
  check_usable("sentinel");
  if (is_self_) throw ValueError("sentinel(): " + title() + " is the current one, not a child of it");
  if (phase_ == Phase::created || phase_ == Phase::starting)
    throw ValueError("sentinel(): " + title() + " was not started");
  return {NativeHandle((NativeHandle::native_type)child_.sentinel()), identity_};
}

std::vector<std::byte> ProcessState::authkey() {
  {
    const std::scoped_lock lock(registry_mutex());
    check_usable("authkey");
    if (!authkey_.empty()) return authkey_;
  }
  return runtime::self().authkey();
}

void ProcessState::set_authkey(std::vector<std::byte> key) {
  if (key.empty()) throw ValueError("set_authkey(): the key is empty");
  if (is_self_) return runtime::self().set_authkey(std::move(key));
  const std::scoped_lock lock(registry_mutex());
  check_usable("set_authkey");
  if (phase_ != Phase::created) throw AssertionError("set_authkey(): the process has started already");
  authkey_ = std::move(key);
}

ByteStream& ProcessState::stream(std::size_t index) {
  constexpr std::array names = {"standard_input", "standard_output", "standard_error"};
  const std::scoped_lock lock(registry_mutex());
  check_usable(names[index]);
  if (!streams_[index] || phase_ == Phase::created || phase_ == Phase::starting)
    throw ValueError(std::string(names[index]) + "(): " + title() +
                     " was not started with Stdio::pipe for this stream");
  return *streams_[index];
}

}  // namespace multiprocessing::detail
