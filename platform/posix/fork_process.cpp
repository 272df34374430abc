// fork_process(): fork(), so that libc's and the application's fork handlers run, then a sentinel for the
// parent: pidfd_open or kqueue at once, which is safe because nobody but us reaps, and checked where
// somebody does; else a thread that waits for it. All signals are blocked around the fork, so
// that no handler runs in a child that is not set up. Locks of this backend that the child needs are held
// across the fork. Manual pages: fork(2), pthread_sigmask(3).
#include <cerrno>

#include <unistd.h>

#include "child.hpp"
#include "contract/fault.hpp"
#include "error.hpp"
#include "image_snapshot.hpp"
#include "signals.hpp"
#include "start.hpp"

namespace multiprocessing::platform {
namespace {

// The child's side: what belongs to the parent is let go.
void become_child(std::span<const RawHandle> close_in_child, posix::Watch& watch) {
  posix::ImageSnapshot::stay_with_remembered();
  posix::forget_dropped_children();
  posix::forget_waiting_threads();
  watch = {};
  for (const RawHandle handle : close_in_child) close_handle(handle);
}

// Functions that a child calls and its parent never did: where the loader binds late, each child would look
// them up for itself, at the price of some ten system calls each.
void look_up_what_children_call() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  sigdelset(&signals, SIGABRT);
  struct sigaction action = {};
  ::sigaction(SIGABRT, nullptr, &action);
  stack_t stack = {};
  ::sigaltstack(nullptr, &stack);
  (void)::getppid();
}

void clear_signal_mask() noexcept {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

Result<ForkOutcome> fork_process(std::span<const RawHandle> close_in_child) {
  if (auto failure = fault_point(Call::fork_process)) return *failure;
  posix::reap_dropped_children();
  (void)
      posix::exact_sentinels();  // found out before the fork: a child could not wait for the thread that does
  [[maybe_unused]] static const bool looked_up = (look_up_what_children_call(), true);
  const auto fork_lock = posix::fork_lock();
  auto watch = posix::prepare_watch();
  if (!watch) return watch.error();
  auto state = std::make_unique<ChildProcess::State>();

  const auto birth_lock = posix::birth_lock();
  const auto dropped_lock = posix::hold_dropped_children();
  int pid = -1;
  {
    const posix::AllSignalsBlocked blocked;
    pid = ::fork();
    if (pid == 0) become_child(close_in_child, *watch);
  }
  if (pid == -1) return posix::start_error(errno, "fork");
  if (pid == 0) {
    clear_signal_mask();
    return ForkOutcome{true, ChildProcess()};
  }
  auto started = posix::watch_forked(pid, *std::move(watch));
  if (!started) return started.error();
  state->begin(*std::move(started));
  return ForkOutcome{false, ChildProcess(std::move(state))};
}

}  // namespace multiprocessing::platform
