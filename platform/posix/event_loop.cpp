// The event loop on a Boost.Asio io_context (epoll or kqueue underneath) and one thread with all signals
// blocked. A watch is a stream_descriptor that is assigned the caller's descriptor and releases it at the
// end; a descriptor that is watched twice gets a duplicate, because epoll and kqueue know each only once. All
// descriptors and timers are touched under one lock; callbacks run without it, and after a look whether the
// descriptor really is ready, for a stale event may come in after it was released. fork(): quiesce() parks
// the thread in a handler, where it holds nothing, then takes the lock, so that no other thread is inside
// either. A child lets Asio make new kernel objects (notify_fork), which closes its copies of the parent's
// without touching what is registered there, and forgets what was watched without destroying it: destructors
// of callbacks might want locks that nobody will ever give back. Manual pages: epoll(7), fork(2).
#include "contract/event_loop.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <semaphore>
#include <set>
#include <thread>
#include <utility>

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>
#include <poll.h>

#include "contract/fault.hpp"
#include "contract/handler_memory.hpp"
#include "descriptor.hpp"
#include "error.hpp"
#include "signals.hpp"

namespace multiprocessing::platform {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// A watch or a timer. Guarded by the loop's lock, but for the callbacks themselves.
struct Entry {
  explicit Entry(asio::io_context& context) : descriptor(context), timer(context) {}

  asio::posix::stream_descriptor descriptor;  // open for a watch
  asio::steady_timer timer;
  std::shared_ptr<HandlerMemory> memory = std::make_shared<HandlerMemory>();
  Handle duplicate;  // what the descriptor was assigned, if not the caller's own
  std::function<bool()> ready;
  std::function<void()> due;
  Deadline deadline = Deadline::never();
};

// What belongs to the loop's thread. A forked child neither destroys it nor loses it, which needs no memory.
struct OfThread {
  std::thread thread;
  std::map<EventLoop::Id, std::shared_ptr<Entry>> entries;
  OfThread* left_before = nullptr;
};

void leave_to_parent(std::unique_ptr<OfThread> left) noexcept {
  static std::atomic<OfThread*> last{nullptr};
  auto* const kept = left.release();
  kept->left_before = last.exchange(kept);
}

bool is_ready(int fd) noexcept {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;
}

class AsioLoop final : public EventLoop {
 public:
  AsioLoop() : work_(asio::make_work_guard(context_)) {
    // Asio opens its own descriptors with the first that it is to watch: here, where a failure is reported.
    const asio::posix::stream_descriptor opened(context_);
    const posix::AllSignalsBlocked blocked;  // the new thread inherits the mask
    of_thread_->thread = std::thread([this] { context_.run(); });
    loop_thread_ = of_thread_->thread.get_id();
  }

  ~AsioLoop() override {
    if (of_thread_ == nullptr) return;
    context_.stop();
    of_thread_->thread.join();
    for (auto& [id, entry] : of_thread_->entries) let_go(*entry);
  }

  Result<Id> watch(RawHandle handle, std::function<bool()> ready) override try {
    if (auto failure = fault_point(Call::event_loop_watch)) return *failure;
    if (handle < 0) return Error{Condition::invalid_argument, EBADF, "watch"};
    const std::lock_guard lock(mutex_);
    Insertion inserted(*this);
    if (auto status = assign(*inserted.entry(), posix::to_fd(handle)); !status) return status.error();
    await(inserted.id(), inserted.entry());
    inserted.entry()->ready = std::move(ready);  // last: it is destroyed without the lock, in any case
    return inserted.keep();
  } catch (const std::bad_alloc&) {
    return Error{Condition::out_of_memory, ENOMEM, "watch"};
  }

  Result<Id> at(Deadline deadline, std::function<void()> due) override try {
    if (auto failure = fault_point(Call::event_loop_at)) return *failure;
    const std::lock_guard lock(mutex_);
    Insertion inserted(*this);
    inserted.entry()->deadline = deadline;
    if (!deadline.is_never()) await_deadline(inserted.id(), inserted.entry());
    inserted.entry()->due = std::move(due);
    return inserted.keep();
  } catch (const std::bad_alloc&) {
    return Error{Condition::out_of_memory, ENOMEM, "at"};
  }

  void cancel(Id id) noexcept override {
    std::shared_ptr<Entry> entry;
    std::function<bool()> ready;  // destroyed here, without the lock: callbacks may own anything
    std::function<void()> due;
    std::unique_lock lock(mutex_);
    entry = take(id);
    if (!in_loop_thread()) idle_.wait(lock, [&] { return running_ == 0 || running_ != id; });
    if (entry == nullptr || running_ == id)
      return;  // a callback that cancels itself is destroyed when it returns
    ready.swap(entry->ready);
    due.swap(entry->due);
  }

  void post(std::function<void()> work) override {
    const std::lock_guard lock(mutex_);
    asio::post(context_, std::move(work));
  }

  bool in_loop_thread() const noexcept override { return std::this_thread::get_id() == loop_thread_; }

  void quiesce() noexcept override {
    fork_mutex_.lock();
    park();
    parked_.acquire();
    mutex_.lock();
    notify(asio::execution_context::fork_prepare);
  }

  void resume() noexcept override {
    notify(asio::execution_context::fork_parent);
    mutex_.unlock();
    resumed_.release();
    fork_mutex_.unlock();
  }

  void abandon_in_child() noexcept override {
    bool is_ours = true;
    try {
      context_.notify_fork(asio::execution_context::fork_child);
    } catch (const boost::system::system_error&) {
      // A descriptor could not be registered anew: it is let go below.
    } catch (const std::bad_alloc&) {
      is_ours = false;  // what is registered there still counts for the parent
    }
    if (is_ours)
      for (auto& [id, entry] : of_thread_->entries) let_go(*entry);
    leave_to_parent(std::move(of_thread_));
    new (&idle_)
        std::condition_variable;  // the old one may count threads that wait: destroying it would hang
    mutex_.unlock();
    fork_mutex_.unlock();
  }

 private:
  // Asio needs memory to ask its services, of which only that of signals, which we have none of, would have
  // something to do in the parent.
  void notify(asio::execution_context::fork_event event) noexcept try {
    context_.notify_fork(event);
  } catch (const std::bad_alloc&) {
    return;
  }

  // An entry that is taken out again, and lets go of the caller's descriptor, unless it is kept. Needs the
  // lock.
  class Insertion {
   public:
    explicit Insertion(AsioLoop& loop) : loop_(loop), entry_(std::make_shared<Entry>(loop.context_)) {
      loop_.of_thread_->entries.emplace(++loop_.last_id_, entry_);
      id_ = loop_.last_id_;
    }
    Insertion(const Insertion&) = delete;
    Insertion& operator=(const Insertion&) = delete;
    ~Insertion() {
      if (!kept_) loop_.take(id_);
    }
    [[nodiscard]] Id id() const noexcept { return id_; }
    [[nodiscard]] const std::shared_ptr<Entry>& entry() const noexcept { return entry_; }
    [[nodiscard]] Id keep() noexcept {
      kept_ = true;
      return id_;
    }

   private:
    AsioLoop& loop_;
    const std::shared_ptr<Entry> entry_;
    Id id_ = 0;
    bool kept_ = false;
  };

  Status assign(Entry& entry, int fd) {
    if (::fcntl(fd, F_GETFD) == -1) return posix::last_error("fcntl");  // kqueue learns it only when it waits
    if (assigned_.contains(fd)) {
      auto copy = posix::duplicate(fd);
      if (!copy) return copy.error();
      entry.duplicate = *std::move(copy);
      fd = posix::to_fd(entry.duplicate.get());
    }
    const auto place = assigned_.insert(fd).first;
    error_code failure;
    try {
      entry.descriptor.assign(fd, failure);
    } catch (...) {
      assigned_.erase(place);
      throw;
    }
    if (failure) assigned_.erase(place);
    switch (failure.value()) {
      case 0:
        return {};
      case EPERM:
        return Error{Condition::invalid_argument, EPERM, "epoll_ctl"};
      case ENOSPC:
        return Error{Condition::out_of_handles, ENOSPC, "epoll_ctl"};
      default:
        return posix::error_of(failure.value(), "epoll_ctl");
    }
  }

  template <class Handler>
  static auto in_memory(const std::shared_ptr<HandlerMemory>& memory, Handler handler) {
    return asio::bind_allocator(HandlerAllocator<std::byte>(memory), std::move(handler));
  }

  // As post(), but in memory of its own: nobody could be told that there is none.
  void park() {
    const std::lock_guard lock(mutex_);
    asio::post(context_, in_memory(parking_, [this] {
                 parked_.release();
                 resumed_.acquire();
               }));
  }

  // The following need the lock.

  template <class Handler>
  static auto in_memory_of(const std::shared_ptr<Entry>& entry, Handler handler) {
    return in_memory(entry->memory, std::move(handler));
  }

  void await(Id id, const std::shared_ptr<Entry>& entry) {
    entry->descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                 in_memory_of(entry, [this, id, entry](error_code failure) {
                                   // A descriptor that cannot be waited for (of a kind that is always ready,
                                   // or closed) counts as ready: whoever reads from it learns why.
                                   if (failure != asio::error::operation_aborted) on_ready(id, entry);
                                 }));
  }

  void await_deadline(Id id, const std::shared_ptr<Entry>& entry) {
    entry->timer.expires_after(entry->deadline.remaining());
    entry->timer.async_wait(in_memory_of(entry, [this, id, entry](error_code failure) {
      if (!failure) on_due(id, entry);
    }));
  }

  // The caller's descriptor is the caller's again.
  void let_go(Entry& entry) noexcept {
    if (entry.descriptor.is_open()) assigned_.erase(entry.descriptor.release());
    entry.duplicate.reset();
    try {
      entry.timer.cancel();
    } catch (const boost::system::system_error&) {
      // No implementation of it fails.
    }
  }

  std::shared_ptr<Entry> take(Id id) noexcept {
    const auto at = of_thread_->entries.find(id);
    if (at == of_thread_->entries.end()) return nullptr;
    auto entry = std::move(at->second);
    of_thread_->entries.erase(at);
    let_go(*entry);
    return entry;
  }

  // The following run in the loop's thread.

  bool begin(Id id) {
    if (!of_thread_->entries.contains(id)) return false;  // cancelled
    running_ = id;
    return true;
  }

  void on_ready(Id id, const std::shared_ptr<Entry>& entry) {
    std::unique_lock lock(mutex_);
    if (!begin(id)) return;
    const bool real = is_ready(entry->descriptor.native_handle());
    lock.unlock();
    const bool again = !real || entry->ready();
    finish(id, entry, again);
  }

  void on_due(Id id, const std::shared_ptr<Entry>& entry) {
    std::unique_lock lock(mutex_);
    if (!begin(id)) return;
    const bool passed = entry->deadline.expired();
    lock.unlock();
    if (passed) entry->due();
    finish(id, entry, !passed);
  }

  void finish(Id id, const std::shared_ptr<Entry>& entry, bool again) {
    std::shared_ptr<Entry> ended;
    const std::lock_guard lock(mutex_);
    running_ = 0;
    idle_.notify_all();
    if (!again)
      ended = take(id);
    else if (of_thread_->entries.contains(id))
      entry->ready ? await(id, entry) : await_deadline(id, entry);
  }

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::unique_ptr<OfThread> of_thread_ = std::make_unique<OfThread>();  // none in a forked child
  std::thread::id loop_thread_;

  std::mutex mutex_;
  std::condition_variable idle_;  // a callback has returned
  std::set<int> assigned_;        // descriptors that Asio holds now
  Id last_id_ = 0;
  Id running_ = 0;  // whose callback runs

  std::mutex fork_mutex_;  // held from quiesce() to its end
  std::shared_ptr<HandlerMemory> parking_ = std::make_shared<HandlerMemory>();
  std::binary_semaphore parked_{0};
  std::binary_semaphore resumed_{0};
};

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::create() try {
  if (auto failure = fault_point(Call::event_loop_create)) return *failure;
  return std::unique_ptr<EventLoop>(std::make_unique<AsioLoop>());
} catch (const boost::system::system_error& failure) {
  return posix::error_of(failure.code().value(), "epoll_create1");
} catch (const std::system_error& failure) {
  return posix::start_error(failure.code().value(), "pthread_create");
} catch (const std::bad_alloc&) {
  return Error{Condition::out_of_memory, ENOMEM, "create"};
}

}  // namespace multiprocessing::platform
