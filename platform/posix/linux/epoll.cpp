// A WaitSet on epoll, level-triggered: kept in the kernel, so that a wait costs what is ready. A descriptor
// that poll() would call always ready (a regular file, /dev/null) cannot be in an epoll: invalid_argument.
// Manual pages: epoll_create1(2), epoll_ctl(2), epoll_wait(2).
#include <cerrno>

#include <sys/epoll.h>

#include "contract/fault.hpp"
#include "descriptor.hpp"
#include "error.hpp"
#include "kept_set.hpp"

namespace multiprocessing::platform::posix {
namespace {

class EpollSet final : public KeptSet {
 public:
  explicit EpollSet(Handle epoll) noexcept : epoll_(std::move(epoll)) {}

  Status add(int fd, std::size_t key) override {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = key;
    if (events_.size() <= size_) events_.resize(2 * size_ + 1);
    if (::epoll_ctl(to_fd(epoll_.get()), EPOLL_CTL_ADD, fd, &event) == 0) {
      ++size_;
      return {};
    }
    switch (errno) {
      case EPERM:
      case ELOOP:
        return Error{Condition::invalid_argument, errno, "epoll_ctl"};
      case ENOSPC:
        return Error{Condition::out_of_handles, errno, "epoll_ctl"};
      default:
        return last_error("epoll_ctl");
    }
  }

  void remove(int fd) noexcept override {
    ::epoll_ctl(to_fd(epoll_.get()), EPOLL_CTL_DEL, fd, nullptr);
    --size_;
  }

  Status wait(std::vector<std::size_t>& ready, Deadline deadline) override {
    const int count = interruptible([&] {
      return ::epoll_wait(to_fd(epoll_.get()), events_.data(), static_cast<int>(events_.size()),
                          deadline.remaining_milliseconds());
    });
    if (count == -1 && errno != EINTR) return last_error("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const std::uint64_t key =
          events_[static_cast<std::size_t>(i)].data.u64;  // lies unaligned in its packed event
      ready.push_back(key);
    }
    return {};
  }

 private:
  Handle epoll_;
  std::size_t size_ = 0;
  std::vector<epoll_event> events_{1};
};

}  // namespace

bool kernel_keeps_sets() noexcept { return !forced("no-epoll"); }

Result<std::unique_ptr<KeptSet>> make_kernel_set() {
  auto epoll = above_standard(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  if (!epoll) return epoll.error();
  return std::unique_ptr<KeptSet>(std::make_unique<EpollSet>(*std::move(epoll)));
}

}  // namespace multiprocessing::platform::posix
