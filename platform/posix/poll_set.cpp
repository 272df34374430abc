// A WaitSet made of a list for poll(): for systems without a kernel object that keeps one. Each wait costs
// the whole list. Manual page: poll(2).
#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>

#include "descriptor.hpp"
#include "error.hpp"
#include "kept_set.hpp"

namespace multiprocessing::platform::posix {
namespace {

class PollSet final : public KeptSet {
 public:
  Status add(int fd, std::size_t key) override {
    if (::fcntl(fd, F_GETFD) == -1) return last_error("poll");
    if (std::ranges::find(entries_, fd, &pollfd::fd) != entries_.end())
      return Error{Condition::already_exists, EEXIST, "poll"};
    entries_.reserve(entries_.size() + 1);
    keys_.push_back(key);
    entries_.push_back({fd, POLLIN, 0});
    return {};
  }

  void remove(int fd) noexcept override {
    const auto at = std::ranges::find(entries_, fd, &pollfd::fd);
    keys_.erase(keys_.begin() + (at - entries_.begin()));
    entries_.erase(at);
  }

  Status wait(std::vector<std::size_t>& ready, Deadline deadline) override {
    const int count = interruptible([&] {
      return ::poll(entries_.data(), static_cast<nfds_t>(entries_.size()), deadline.remaining_milliseconds());
    });
    if (count == -1 && errno != EINTR) return last_error("poll");
    for (std::size_t i = 0; count > 0 && i < entries_.size(); ++i)
      if (entries_[i].revents != 0) ready.push_back(keys_[i]);
    return {};
  }

 private:
  std::vector<pollfd> entries_;
  std::vector<std::size_t> keys_;  // of the entry at the same place
};

}  // namespace

std::unique_ptr<KeptSet> make_poll_set() { return std::make_unique<PollSet>(); }

}  // namespace multiprocessing::platform::posix
