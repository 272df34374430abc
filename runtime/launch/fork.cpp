// The start method "fork": the child is a copy of this process and needs nothing to be written.
#include <atomic>
#include <filesystem>
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
  // The library's own thread rests while the process forks.
  const int own = reactor_runs() ? 1 : 0;
  if (platform::thread_count().value_or(1) > 1 + own + (self().is_child() ? 1 : 0) && !warned.exchange(true))
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
    return true;
  }();
  static_cast<void>(prepared);
}

void check_working_directory(const std::string& path) {
  std::error_code error;
  const std::u8string text(path.begin(), path.end());
  if (path.empty() || std::filesystem::is_directory(std::filesystem::path(text), error)) return;
  throw_os_error({platform::Condition::not_found, 0, "chdir"}, path);
}

void apply(const StartRequest& request) {
  const auto& options = request.options;
  value_or_throw(platform::bind_standard_streams(request.streams), "the standard streams");
  for (const auto& stream :
       request.streams)  // a second copy would outlive the program's closing of its streams
    if (stream.source == platform::StreamBinding::Source::handle) platform::close_handle(stream.handle);
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

[[noreturn]] void run_forked_child(StartRequest& request, platform::Channel control) {
  const platform::ProcessIdentity parent{request.settings.parent_pid, request.settings.parent_start_time};
  const auto link = std::make_shared<ParentLink>(std::move(control), parent);
  self().become(request.settings, link, true);
  const int code = run_and_report(*link, request.settings.wants_result, [&](detail::Encoder* result) {
    apply(request);
    arm_crash_report_to(*link);
    watch_parent(link, request.settings.keep_running);
    request.subject.run(request.settings.wants_result ? result : nullptr);
  });
  leave_forked_child(code);
}

class ForkStrategy : public StartStrategy {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "fork"; }

  [[nodiscard]] StartedChild start(StartRequest& request) override {
    warn_of_threads();
    prepare_reports();
    check_working_directory(request.options.working_directory);
    const auto parent = platform::current_identity();
    request.settings.parent_pid = parent.pid;
    request.settings.parent_start_time = parent.start_time;
    auto ends = open_control_channel(request.in_flight);
    flush_standard_streams();  // or the child would write the parent's buffers a second time
    return divide(request, ends);
  }

 private:
  static StartedChild divide(StartRequest& request, std::pair<platform::Channel, platform::Channel>& ends) {
    bool in_child = false;
    platform::ChildProcess child;
    {
      ForkGuard guard;
      const RegistryLock lock;
      auto outcome = value_or_throw(platform::fork_process({}), "a child of this process");
      in_child = outcome.in_child;
      child = std::move(outcome.child);
      if (in_child) {
        guard.in_child();
        detail::Registry::instance().forget_in_child(request.in_flight);
      } else {
        guard.in_parent();
      }
    }
    if (!in_child) return {std::move(child), std::move(ends.first)};
    ends.first.close();
    request.subject.now_in_child();
    run_forked_child(request, std::move(ends.second));
  }
};

}  // namespace

std::unique_ptr<StartStrategy> make_fork_strategy() { return std::make_unique<ForkStrategy>(); }

}  // namespace multiprocessing::runtime
