// A WaitSet on a kqueue, level-triggered: kept in the kernel, so that a wait costs what is ready. To add a
// descriptor twice would change the first entry, so there is a list of those that are in.
// A Wakeup is a pipe here. Manual page: kqueue(2).
#include <sys/event.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <set>

#include "descriptor.hpp"
#include "error.hpp"
#include "event_object.hpp"
#include "kept_set.hpp"
#include "queue.hpp"

namespace multiprocessing::platform::posix {
namespace {

timespec to_timespec(Deadline deadline) noexcept {
  using std::chrono::nanoseconds, std::chrono::seconds;
  const auto left = std::min<nanoseconds>(deadline.remaining(), std::chrono::hours(24));
  const auto whole = std::chrono::duration_cast<seconds>(left);
  return {static_cast<time_t>(whole.count()), static_cast<long>((left - whole).count())};
}

class QueueSet final : public KeptSet {
 public:
  explicit QueueSet(Handle queue) noexcept : queue_(std::move(queue)) {}

  Status add(int fd, std::size_t key) override {
    if (events_.size() <= members_.size()) events_.resize(2 * members_.size() + 1);
    const auto [member, is_new] = members_.insert(fd);
    if (!is_new) return Error{Condition::already_exists, EEXIST, "kevent"};
    if (change(fd, EV_ADD, key) != -1) return {};
    const int failure = errno;
    members_.erase(member);
    if (failure == ENOENT) return Error{Condition::invalid_argument, failure, "kevent"};
    return error_of(failure, "kevent");
  }

  void remove(int fd) noexcept override {
    change(fd, EV_DELETE, 0);
    members_.erase(fd);
  }

  Status wait(std::vector<std::size_t>& ready, Deadline deadline) override {
    const timespec left = to_timespec(deadline);
    const int count = interruptible([&] {
      return ::kevent(to_fd(queue_.get()), nullptr, 0, events_.data(), static_cast<int>(events_.size()),
                      deadline.is_never() ? nullptr : &left);
    });
    if (count == -1 && errno != EINTR) return last_error("kevent");
    for (int i = 0; i < count; ++i)
      ready.push_back(reinterpret_cast<std::uintptr_t>(events_[static_cast<std::size_t>(i)].udata));
    return {};
  }

 private:
  int change(int fd, unsigned short what, std::size_t key) noexcept {
    struct kevent entry {};
    EV_SET(&entry, static_cast<uintptr_t>(fd), EVFILT_READ, what, 0, 0, reinterpret_cast<void*>(key));
    return retried([&] { return ::kevent(to_fd(queue_.get()), &entry, 1, nullptr, 0, nullptr); });
  }

  Handle queue_;
  std::set<int> members_;
  std::vector<struct kevent> events_{1};
};

}  // namespace

bool kernel_keeps_sets() noexcept { return true; }

Result<std::unique_ptr<KeptSet>> make_kernel_set() {
  auto queue = make_queue();
  if (!queue) return queue.error();
  return std::unique_ptr<KeptSet>(std::make_unique<QueueSet>(*std::move(queue)));
}

Result<Handle> make_event_object() noexcept { return Handle(); }

}  // namespace multiprocessing::platform::posix
