// What sentinels have in common on all systems, and what stands in for an exact one: an event, and a thread
// that waits for the child by waitid() and leaves it to be reaped by whoever asks. A pipe that the child
// holds would need no thread, but a child may close it while it runs, and whatever it starts may keep it
// open. Reaping is by pid of an own child: waitpid(pid), never waitpid(-1). ECHILD means that somebody else
// took the status. Manual pages: waitpid(2), waitid(2).
#include "sentinel.hpp"

#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>

#include <sys/wait.h>

#include "contract/system.hpp"
#include "error.hpp"

namespace multiprocessing::platform::posix {
namespace {

std::atomic<int> waiting_threads{0};

// Whether `pid` is a child of ours, running or ended.
bool is_unreaped_child(int pid) noexcept {
  siginfo_t info{};
  return retried([&] {
           return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
         }) == 0;
}

}  // namespace

ExitStatus status_of(int wait_status) noexcept {
  if (WIFSIGNALED(wait_status)) return {ExitStatus::Kind::signalled, -WTERMSIG(wait_status)};
  return {ExitStatus::Kind::exited, WEXITSTATUS(wait_status)};
}

ChildAnswer reap_by_pid(int pid) noexcept {
  int wait_status = 0;
  const auto reaped = retried([&] { return ::waitpid(pid, &wait_status, WNOHANG); });
  if (reaped == 0) return {ChildAnswer::Kind::running, {}};
  if (reaped == -1) return {ChildAnswer::Kind::lost, {}};
  return {ChildAnswer::Kind::ended, status_of(wait_status)};
}

void wait_for_end(int pid) noexcept {
  siginfo_t info{};
  retried([&] { return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT); });
}

Result<Handle> ready_sentinel() {
  auto pipe = make_pipe();
  if (!pipe) return pipe.error();
  return std::move(pipe->read);
}

Result<ChildSentinel> open_child_sentinel(int pid, Handle spare) noexcept {
  auto sentinel = open_exact_sentinel(pid);
  if (!sentinel && sentinel.error().condition == Condition::out_of_handles) {
    spare = Handle();  // its place is the one that is missing
    sentinel = open_exact_sentinel(pid);
  }
  // Asked last: a pid that is not our child's any more may have become a stranger's before it was opened.
  if (sentinel && is_unreaped_child(pid)) return ChildSentinel{*std::move(sentinel), false};
  if (!sentinel && sentinel.error().condition != Condition::gone) return sentinel.error();
  return ChildSentinel{std::move(spare), !is_unreaped_child(pid)};
}

Result<std::shared_ptr<AnnouncedEnd>> AnnouncedEnd::create() {
  auto ended = Wakeup::create();
  if (!ended) return ended.error();
  return std::make_shared<AnnouncedEnd>(*std::move(ended));
}

template <class Wait>
Status AnnouncedEnd::announce_after(const std::shared_ptr<AnnouncedEnd>& end, Wait wait) {
  ++waiting_threads;
  auto status = run_in_background([end, wait = std::move(wait)] {
    wait();
    end->announce();
    --waiting_threads;
  });
  if (!status) --waiting_threads;
  return status;
}

Status AnnouncedEnd::watch(const std::shared_ptr<AnnouncedEnd>& end, int pid) {
  return announce_after(end, [pid] { wait_for_end(pid); });
}

Status AnnouncedEnd::watch(const std::shared_ptr<AnnouncedEnd>& end, Handle word) {
  // Shared, because functions that are stored have to be copyable.
  const auto shared = std::make_shared<Handle>(std::move(word));
  return announce_after(end, [shared] { (void)wait_one(shared->get(), Deadline::never()); });
}

void AnnouncedEnd::announce() noexcept {
  auto phase = Phase::open;
  if (!phase_.compare_exchange_strong(phase, Phase::announcing)) return;
  ended_.notify();
  phase_ = Phase::announced;
}

// A thread that is about to announce is a few instructions from its end; no lock, because a fork may come at
// any time, and in its child nobody would give the lock back, nor announce anything.
void AnnouncedEnd::close() noexcept {
  auto phase = Phase::open;
  if (!phase_.compare_exchange_strong(phase, Phase::closed))
    while (phase_ == Phase::announcing && owner_ == current_pid()) std::this_thread::yield();
  const Wakeup closed = std::exchange(ended_, Wakeup());
}

int count_waiting_threads() noexcept { return waiting_threads; }

void forget_waiting_threads() noexcept { waiting_threads = 0; }

}  // namespace multiprocessing::platform::posix
