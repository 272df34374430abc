// Waiting: poll() for one handle and for a list, a kept kernel object for a WaitSet (kept_set.hpp). A Wakeup
// is an eventfd, else a pipe whose ends do not block. Ready is what POLLIN says: readable or hung up. poll()
// takes no more entries than the limit on descriptors, so a longer list, in which handles must be repeated,
// is made shorter first. Deadlines are rounded up to milliseconds. Manual pages: poll(2), pipe(7).
#include "contract/wait.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <map>

#include <poll.h>
#include <unistd.h>

#include "contract/fault.hpp"
#include "descriptor.hpp"
#include "error.hpp"
#include "event_object.hpp"
#include "kept_set.hpp"

namespace multiprocessing::platform {
namespace {

constexpr Error not_a_handle{Condition::invalid_argument, EBADF, "poll"};

// Until something is ready, or the deadline has passed: then no entry is.
Status poll_until(pollfd* entries, std::size_t count, Deadline deadline) noexcept {
  for (;;) {
    const int ready = posix::interruptible(
        [&] { return ::poll(entries, static_cast<nfds_t>(count), deadline.remaining_milliseconds()); });
    if (ready > 0) return {};
    if (ready == -1 && errno != EINTR) return posix::last_error("poll");
    if (ready == 0 && deadline.expired()) return {};
    if (ready == -1 && deadline.expired()) deadline = Deadline::now();
  }
}

// Each descriptor once, sorted.
std::span<pollfd> without_repeated(std::span<pollfd> entries) {
  std::ranges::sort(entries, {}, &pollfd::fd);
  const auto repeated = std::ranges::unique(entries, {}, &pollfd::fd);
  return entries.first(entries.size() - repeated.size());
}

std::vector<std::size_t> positions_of_ready(std::span<const RawHandle> handles,
                                            std::span<const pollfd> entries, bool shortened) {
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < handles.size(); ++i) {
    const auto& entry = shortened
                            ? *std::ranges::lower_bound(entries, posix::to_fd(handles[i]), {}, &pollfd::fd)
                            : entries[i];
    if (entry.revents != 0) positions.push_back(i);
  }
  return positions;
}

}  // namespace

Status wait_one(RawHandle handle, Deadline deadline) noexcept {
  if (auto failure = fault_point(Call::wait_one)) return *failure;
  if (handle < 0) return not_a_handle;
  pollfd entry{posix::to_fd(handle), POLLIN, 0};
  if (auto status = poll_until(&entry, 1, deadline); !status) return status;
  if ((entry.revents & POLLNVAL) != 0) return not_a_handle;
  if (entry.revents == 0) return Error{Condition::timed_out, 0, "poll"};
  return {};
}

Result<std::size_t> wait_either(RawHandle first, RawHandle second, Deadline deadline) noexcept {
  if (auto failure = fault_point(Call::wait_either)) return *failure;
  if (first < 0 || second < 0) return not_a_handle;
  pollfd entries[] = {{posix::to_fd(first), POLLIN, 0}, {posix::to_fd(second), POLLIN, 0}};
  if (auto status = poll_until(entries, 2, deadline); !status) return status.error();
  if (((entries[0].revents | entries[1].revents) & POLLNVAL) != 0) return not_a_handle;
  if (entries[0].revents != 0) return std::size_t{0};
  if (entries[1].revents != 0) return std::size_t{1};
  return Error{Condition::timed_out, 0, "poll"};
}

Result<std::vector<std::size_t>> wait_any(std::span<const RawHandle> handles, Deadline deadline) {
  if (auto failure = fault_point(Call::wait_any)) return *failure;
  if (handles.empty()) return std::vector<std::size_t>();
  if (std::ranges::any_of(handles, [](RawHandle handle) { return handle < 0; })) return not_a_handle;
  // Most lists are short, and a wait that finds something at once is as quick as what it asks memory for.
  std::array<pollfd, 32> few;
  std::vector<pollfd> many(handles.size() > few.size() ? handles.size() : 0);
  auto entries = many.empty() ? std::span(few).first(handles.size()) : std::span(many);
  for (std::size_t i = 0; i < handles.size(); ++i) entries[i] = {posix::to_fd(handles[i]), POLLIN, 0};
  auto status = poll_until(entries.data(), entries.size(), deadline);
  const bool shortened = !status && status.error().native == EINVAL;
  if (shortened) {
    entries = without_repeated(entries);
    status = poll_until(entries.data(), entries.size(), deadline);
  }
  if (!status) return status.error();
  if (std::ranges::any_of(entries, [](const pollfd& entry) { return (entry.revents & POLLNVAL) != 0; }))
    return not_a_handle;
  return positions_of_ready(handles, entries, shortened);
}

// ---- Wakeup -----------------------------------------------------------------------------------------

Result<Wakeup> Wakeup::create() {
  if (auto failure = fault_point(Call::wakeup_create)) return *failure;
  Wakeup wakeup;
  auto object = posix::make_event_object();
  if (!object) return object.error();
  wakeup.read_ = *std::move(object);
  if (wakeup.read_) return wakeup;
  auto pipe = posix::make_pipe();
  if (!pipe) return pipe.error();
  for (const Handle* end : {&pipe->read, &pipe->write})
    if (auto status = posix::set_non_blocking(posix::to_fd(end->get())); !status) return status.error();
  wakeup.read_ = std::move(pipe->read);
  wakeup.write_ = std::move(pipe->write);
  return wakeup;
}

void Wakeup::notify() const noexcept {
  const int saved = errno;
  const std::uint64_t one = 1;
  const int fd = posix::to_fd(write_ ? write_.get() : read_.get());
  // EAGAIN: it is full, so it is notified.
  posix::retried([&] { return ::write(fd, &one, sizeof one); });
  errno = saved;
}

void Wakeup::reset() const noexcept {
  const int saved = errno;
  std::uint64_t drain[64];
  const std::size_t size = write_ ? sizeof drain : sizeof drain[0];
  while (posix::retried([&] { return ::read(posix::to_fd(read_.get()), drain, size); }) > 0)
    if (!write_) break;
  errno = saved;
}

// ---- WaitSet ----------------------------------------------------------------------------------------

class WaitSet::State {
 public:
  explicit State(std::unique_ptr<posix::KeptSet> set) noexcept : set_(std::move(set)) {}

  Status add(RawHandle handle, std::size_t key) {
    if (handle < 0) return not_a_handle;
    const auto [member, is_new] = members_.try_emplace(key, posix::to_fd(handle));
    if (!is_new) return Error{Condition::already_exists, EEXIST, "add"};
    try {
      auto status = set_->add(member->second, key);
      if (!status) members_.erase(member);
      return status;
    } catch (...) {
      members_.erase(member);
      throw;
    }
  }

  Status remove(std::size_t key) {
    const auto member = members_.find(key);
    if (member == members_.end()) return Error{Condition::not_found, ENOENT, "remove"};
    set_->remove(member->second);
    members_.erase(member);
    return {};
  }

  Status wait(std::vector<std::size_t>& ready, Deadline deadline) {
    for (;;) {
      const bool last = deadline.expired();
      auto status = set_->wait(ready, deadline);
      if (!status || !ready.empty() || last) return status;
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }

 private:
  std::unique_ptr<posix::KeptSet> set_;
  std::map<std::size_t, int> members_;  // key to descriptor
};

WaitSet::WaitSet(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
WaitSet::WaitSet(WaitSet&&) noexcept = default;
WaitSet& WaitSet::operator=(WaitSet&&) noexcept = default;
WaitSet::~WaitSet() = default;

Result<WaitSet> WaitSet::create() {
  if (auto failure = fault_point(Call::wait_set_create)) return *failure;
  if (!posix::kernel_keeps_sets()) return WaitSet(std::make_unique<State>(posix::make_poll_set()));
  auto set = posix::make_kernel_set();
  if (!set) return set.error();
  return WaitSet(std::make_unique<State>(*std::move(set)));
}

Status WaitSet::add(RawHandle handle, std::size_t key) {
  if (auto failure = fault_point(Call::wait_set_add)) return *failure;
  return state_->add(handle, key);
}

Status WaitSet::remove(std::size_t key) { return state_->remove(key); }

Status WaitSet::wait(std::vector<std::size_t>& ready, Deadline deadline) {
  ready.clear();
  if (auto failure = fault_point(Call::wait_set_wait)) return *failure;
  return state_->wait(ready, deadline);
}

std::size_t WaitSet::size() const noexcept { return state_ ? state_->size() : 0; }

}  // namespace multiprocessing::platform
