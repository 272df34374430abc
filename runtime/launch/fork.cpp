// The start method "fork": the child is a copy of this process and needs nothing to be written.
#include <atomic>
#include <multiprocessing/errors.hpp>
#include <utility>

#include "contract/console.hpp"
#include "contract/crash.hpp"
#include "contract/system.hpp"
#include "contract/throw_trace.hpp"
#include "launch/child_main.hpp"
#include "launch/process_state.hpp"
#include "launch/self.hpp"
#include "launch/start_strategy.hpp"
#include "support/callbacks.hpp"
#include "support/errors.hpp"
#include "support/log.hpp"
#include "support/reactor.hpp"
#include "wire/frame.hpp"

namespace multiprocessing::runtime {
namespace {

/// The locks and threads of the library across the fork.
class RegistryLock {
 public:
  RegistryLock() { detail::Registry::instance().lock(); }
  RegistryLock(const RegistryLock&) = delete;
  RegistryLock& operator=(const RegistryLock&) = delete;
  ~RegistryLock() { detail::Registry::instance().unlock(); }
};

void warn_of_threads() {
  static std::atomic<bool> warned{false};
  // The library's own threads hold nothing while the process forks.
  const int own = (reactor_runs() ? 1 : 0) + (callback_thread_runs() ? 1 : 0) + self().own_threads();
  if (platform::thread_count().value_or(1) > 1 + own && !warned.exchange(true))
    log(Level::warning,
        "fork in a process that has threads: a lock that one of them holds stays locked in the child for "
        "ever; "
        "use the start method \"spawn\"");
}

/// The child must not ask the loader for anything: another thread of its parent may have held the loader's
/// lock when it was forked. What crash reports and throw traces need of it is fetched before.
void prepare_reports() {
  static const bool prepared = [] {
    platform::refresh_crash_images();
    platform::ThrowTrace unused;
    platform::call_traced([](void*) {}, nullptr, unused);
    const StopSource looked_up;  // every child makes one
    return true;
  }();
  static_cast<void>(prepared);
}

void apply(StartRequest& request) {
  const auto& options = request.options;
  value_or_throw(platform::bind_standard_streams(request.streams), "the standard streams");
  request.in_flight
      .close_child_streams();  // a second copy would outlive the program's closing of its streams
  if (!options.working_directory.empty())
    value_or_throw(platform::change_working_directory(options.working_directory), options.working_directory);
  if (options.environment) {
    std::vector<std::string> entries;
    for (const auto& [name, value] : *options.environment) entries.push_back(name + '=' + value);
    value_or_throw(platform::replace_environment(entries), "the environment");
  }
  if (options.priority != Priority::normal)
    value_or_throw(platform::change_priority(static_cast<platform::PriorityClass>(options.priority)),
                   "priority");
}

/// Nothing may leave this: the copy of the parent's stack that lies below it is not the child's.
[[noreturn]] void run_forked_child(StartRequest& request) noexcept try {
  const platform::ProcessIdentity parent{request.settings.parent_pid, request.settings.parent_start_time};
  const auto link = std::make_shared<ParentLink>(request.in_flight.become_child(), parent);
  request.subject.now_in_child();
  self().become(request.settings, link, true);
  const int code = run_and_report(*link, request.settings.wants_result, [&](detail::Encoder* result) {
    apply(request);
    arm_crash_report_to(*link);
    watch_parent(*link, request.settings.keep_running);
    obey_limits(request.settings);
    log(Level::info, "child process calling self.run()");
    request.subject.run(request.settings.wants_result ? result : nullptr);
  });
  leave_forked_child(code);
} catch (...) {
  platform::write_to_standard_error("a forked child had no memory to begin with\n");
  platform::end_now(1);
}

class ForkStrategy : public StartStrategy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "fork"; }

  [[nodiscard]] platform::ChildProcess start(StartRequest& request) override {
    warn_of_threads();
    prepare_reports();
    const auto parent = platform::current_identity();
    request.settings.parent_pid = parent.pid;
    request.settings.parent_start_time = parent.start_time;
    request.in_flight.open_channel();
    flush_standard_streams();  // or the child would write the parent's buffers a second time
    auto child = divide(request);
    request.in_flight.close_child_ends();
    request.in_flight.note_delivered();
    return child;
  }

 private:
  static platform::ChildProcess divide(StartRequest& request) {
    ForkGuard guard;
    const RegistryLock lock;
    auto outcome = value_or_throw(platform::fork_process({}), "a child of this process");
    if (!outcome.in_child) {
      guard.in_parent();
      return std::move(outcome.child);
    }
    guard.in_child();
    detail::Registry::instance().forget_in_child(request.in_flight);
    detail::Registry::instance().unlock();
    run_forked_child(request);
  }
};

}  // namespace

std::unique_ptr<StartStrategy> make_fork_strategy() { return std::make_unique<ForkStrategy>(); }

}  // namespace multiprocessing::runtime
