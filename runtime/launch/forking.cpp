// What the library does before and after a fork.
#include "launch/forking.hpp"

#include <atomic>
#include <multiprocessing/stop_token.hpp>

#include "contract/crash.hpp"
#include "contract/system.hpp"
#include "contract/throw_trace.hpp"
#include "launch/child_main.hpp"
#include "launch/process_state.hpp"
#include "launch/self.hpp"
#include "support/callbacks.hpp"
#include "support/log.hpp"
#include "support/reactor.hpp"

namespace multiprocessing::runtime {
namespace {

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
        "ever; use the start method \"forkserver\" or \"spawn\"");
}

/// The child must not ask the loader for anything: another thread of its parent may have held the loader's
/// lock when it was forked. What crash reports and throw traces need of it is fetched before.
void prepare_reports() {
  platform::refresh_crash_images();  // the program may have loaded something since the last fork
  static const bool prepared = [] {
    platform::ThrowTrace unused;
    platform::call_traced([](void*) {}, nullptr, unused);
    const StopSource looked_up;  // every child makes one
    return true;
  }();
  static_cast<void>(prepared);
}

platform::Result<platform::ForkOutcome> divide(const detail::InFlight* own) {
  ForkGuard guard;
  const RegistryLock lock;
  auto outcome = platform::fork_process({});
  if (outcome && outcome->in_child) {
    guard.in_child();
    detail::Registry::instance().forget_in_child(own);
  } else {
    guard.in_parent();
  }
  return outcome;
}

}  // namespace

platform::Result<platform::ChildProcess> fork_library(const detail::InFlight* own,
                                                      const std::function<void()>& child) {
  warn_of_threads();
  prepare_reports();
  flush_standard_streams();  // or the child would write the parent's buffers a second time
  auto outcome = divide(own);
  if (!outcome) return outcome.error();
  if (!outcome->in_child) return std::move(outcome->child);
  child();
  platform::end_now(1);
}

}  // namespace multiprocessing::runtime
