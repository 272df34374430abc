// Exact sentinels on the BSDs: a kqueue that waits for NOTE_EXIT of one process. The event is never taken
// out, so the kqueue stays readable. Processes are reaped and signalled by pid alone here. NOTE_EXIT may come
// an instant before the process can be reaped. macOS knows no such event for a process that has ended
// already: gone. Manual page: kqueue(2).
#include <cerrno>

#include <sys/event.h>
#include <sys/types.h>

#include "descriptor.hpp"
#include "error.hpp"
#include "queue.hpp"
#include "sentinel.hpp"

namespace multiprocessing::platform::posix {

Result<Handle> make_queue() noexcept {
  const auto lock = birth_lock();
  const int queue = ::kqueue();
  if (queue != -1) (void)close_on_exec(queue);
  return above_standard(queue, "kqueue");
}

bool exact_sentinels() noexcept { return true; }

Result<Handle> open_exact_sentinel(int pid) noexcept {
  auto queue = make_queue();
  if (!queue) return queue;
  struct kevent change {};
  EV_SET(&change, static_cast<uintptr_t>(pid), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, nullptr);
  const int result = retried([&] { return ::kevent(to_fd(queue->get()), &change, 1, nullptr, 0, nullptr); });
  if (result == -1) return last_error("kevent");
  return queue;
}

// A kqueue cannot be sent.
bool sentinels_travel() noexcept { return false; }

std::optional<ChildAnswer> reap_by_sentinel(int) noexcept { return std::nullopt; }

std::optional<int> signal_by_sentinel(int, int) noexcept { return std::nullopt; }

}  // namespace multiprocessing::platform::posix
