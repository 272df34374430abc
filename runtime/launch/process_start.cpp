// The start of one child: from a process object that was only made to one whose child runs, or to none.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <multiprocessing/freeze_support.hpp>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "check_options.hpp"
#include "contract/process.hpp"
#include "launch/child_main.hpp"
#include "launch/process_state.hpp"
#include "launch/registry_mutex.hpp"
#include "launch/self.hpp"
#include "launch/stream_state.hpp"
#include "support/log.hpp"

namespace multiprocessing::detail {

using runtime::registry_mutex;

namespace {
std::string quoted(const std::string& name) { return "process '" + name + "'"; }
}  // namespace

runtime::ChildSettings ProcessState::settings() const {
  runtime::ChildSettings settings;
  {
    const std::scoped_lock lock(registry_mutex());
    settings.name = name_;
    settings.daemon = daemon_;
    settings.authkey = authkey_;
  }
  if (settings.authkey.empty()) settings.authkey = runtime::self().authkey();
  settings.lineage = lineage_;
  settings.memory_limit = options_.memory_limit.value_or(0);
  settings.keep_running = options_.on_parent_death == OnParentDeath::keep_running;
  const auto log = runtime::log_settings();
  settings.log_level = static_cast<std::uint8_t>(log.level);
  settings.log_to_stderr = log.to_stderr;
  auto executable = runtime::chosen_executable();
  settings.executable = std::move(executable.path);
  settings.executable_prefix = std::move(executable.prefix);
  settings.parent_name = runtime::self().name();
  return settings;
}

std::array<platform::StreamBinding, 3> ProcessState::open_streams(InFlight& in_flight) {
  const std::array wanted = {options_.standard_input, options_.standard_output, options_.standard_error};
  std::array<platform::StreamBinding, 3> bindings;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == Stdio::null) bindings[i].source = platform::StreamBinding::Source::null;
    if (wanted[i] == Stdio::pipe) bindings[i] = in_flight.open_stream(i);
  }
  return bindings;
}

void ProcessState::start(runtime::Subject& subject, bool wants_result, const StopToken& stop,
                         platform::Deadline deadline) {
  if (runtime::exit_rule_is_due()) std::atexit(multiprocessing_at_exit);
  Registry::instance().look_at_some();
  const bool in_daemon = runtime::self().daemon();
  {
    const std::scoped_lock lock(registry_mutex());
    check_may_start(in_daemon);
    Registry::instance().reserve(this);
    phase_ = Phase::starting;
  }
  try {
    if (stop.stop_requested())
      throw CancelledError("start(): " + quoted(name()) + " was not started: a stop was requested");
    runtime::check_options(options_);
    auto& strategy = runtime::strategy_for(with_.method);
    InFlight in_flight;
    const auto streams = open_streams(in_flight);
    runtime::StartRequest request{settings(), options_, subject, streams, in_flight, stop, deadline};
    request.settings.wants_result = wants_result;
    request.settings.start_method =
        *with_.method != '\0' ? runtime::start_method_in_force() : strategy.name();
    launched(strategy.start(request), in_flight, wants_result);
    task_.reset();  // outside of the lock: its arguments are the user's, and so are their destructors
  } catch (...) {
    const std::scoped_lock lock(registry_mutex());
    Registry::instance().remove(this);
    phase_ = Phase::created;
    throw;
  }
  log_start();
}

/// Nothing that throws: the child runs, whatever may be missing.
void ProcessState::log_start() const noexcept {
  if (runtime::log_enabled(Level::info)) try {
      std::string text;
      {
        const std::scoped_lock lock(registry_mutex());
        text = "started " + quoted(name_) + ", pid " + std::to_string(pid_);
      }
      runtime::log(Level::info, text);
    } catch (const std::bad_alloc&) {
      // A record is lost.
    }
}

/// It throws as little: nobody else would know of the child.
void ProcessState::launched(platform::ChildProcess child, InFlight& in_flight, bool wants_result) noexcept {
  const std::scoped_lock lock(registry_mutex());
  took_record_ = wants_result || in_flight.delivered_;  // without a result a call has failed, in any case
  Registry::instance().add(shared_from_this());
  if (wants_result) ++pins_;  // until done_reading()
  child_ = std::move(child);
  control_ = std::move(in_flight.parent_end_);
  control_open_ = true;
  for (std::size_t i = 0; i < streams_.size(); ++i)
    if (in_flight.parent_streams_[i]) streams_[i].emplace(std::move(in_flight.parent_streams_[i]));
  pid_ = child_.pid();
  phase_ = Phase::running;
}

}  // namespace multiprocessing::detail
