// One thread in a boost::asio::io_context. A handle is watched by a windows::object_handle on a duplicate of
// it, because Asio closes what it is given; the system's thread pool does the waiting, so any number can be
// watched. Entries live in a map under a lock; a completion looks itself up there by number, so that what was
// cancelled finds nothing and does nothing, even if its completion was under way. Where the thread pool has
// nothing left to wait with, the loop looks for itself, now and then, until it has.
#include "contract/event_loop.hpp"

#include "win32.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/windows/object_handle.hpp>

#include <condition_variable>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "contract/fault.hpp"
#include "contract/handler_memory.hpp"

namespace multiprocessing::platform {

using namespace win32;

namespace {

namespace asio = boost::asio;

// Between two looks at a handle that the system does not wait for.
constexpr std::chrono::milliseconds time_to_rest{20};

class AsioLoop final : public EventLoop {
 public:
  AsioLoop() : work_(asio::make_work_guard(context_)) {
    // Asio makes what all timers share with the first one: here, where a failure is reported.
    const asio::steady_timer first(context_);
    thread_ = std::thread([this] { context_.run(); });
  }
  AsioLoop(const AsioLoop&) = delete;
  AsioLoop& operator=(const AsioLoop&) = delete;
  ~AsioLoop() override {
    context_.stop();
    thread_.join();
  }

  Result<Id> watch(RawHandle handle, std::function<bool()> ready) override;
  Result<Id> at(Deadline deadline, std::function<void()> due) override;
  void cancel(Id id) noexcept override;
  void post(std::function<void()> work) override;
  [[nodiscard]] bool in_loop_thread() const noexcept override {
    return std::this_thread::get_id() == thread_.get_id();
  }
  void quiesce() noexcept override { gate_.lock(); }
  void resume() noexcept override { gate_.unlock(); }
  void abandon_in_child() noexcept override {}  // nothing forks here

 private:
  /// A watch or a timer. `call` says whether it goes on.
  struct Entry {
    explicit Entry(asio::io_context& context) : timer(context) {}

    std::function<bool()> call;
    std::optional<asio::windows::object_handle> handle;  ///< of a watch
    asio::steady_timer timer;                            ///< a watch rests by it
    Deadline deadline = Deadline::never();
    std::shared_ptr<HandlerMemory> memory = std::make_shared<HandlerMemory>();
  };
  using Entries = std::unordered_map<Id, std::shared_ptr<Entry>>;

  Id insert(std::shared_ptr<Entry> entry);
  void begin_wait(Id id, Entry& entry);
  void begin_rest(Id id, Entry& entry);
  void wait_again(Id id, Entry& entry, bool rests) noexcept;
  void on_ready(Id id, const boost::system::error_code& error);
  void on_due(Id id, const boost::system::error_code& error);
  void on_rested(Id id);
  std::shared_ptr<Entry> begin_call(Id id);
  void end_call(Id id, bool again, bool rests = false);

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::mutex gate_;   // held around every callback, and by quiesce()
  std::mutex mutex_;  // what follows
  std::condition_variable idle_;
  Entries entries_;
  Id last_id_ = 0;
  std::optional<Id> running_;
  std::thread thread_;
};

Result<EventLoop::Id> AsioLoop::watch(RawHandle handle, std::function<bool()> ready) try {
  if (const auto fault = fault_point(Call::event_loop_watch)) return *fault;
  if (!is_kernel_handle(handle)) return mistake("EventLoop::watch");
  const HANDLE self = GetCurrentProcess();
  auto entry = std::make_shared<Entry>(context_);
  HANDLE copy = nullptr;
  if (!DuplicateHandle(self, native(handle), self, &copy, SYNCHRONIZE, FALSE, 0))
    return last_error("DuplicateHandle");
  Handle owned(raw(copy));
  entry->call = std::move(ready);
  entry->handle.emplace(context_);
  entry->handle->assign(copy);
  static_cast<void>(owned.release());
  return insert(std::move(entry));
} catch (const std::bad_alloc&) {
  return Error{Condition::out_of_memory, ERROR_NOT_ENOUGH_MEMORY, "EventLoop::watch"};
}

Result<EventLoop::Id> AsioLoop::at(Deadline deadline, std::function<void()> due) try {
  if (const auto fault = fault_point(Call::event_loop_at)) return *fault;
  auto entry = std::make_shared<Entry>(context_);
  entry->call = [due = std::move(due)] {
    due();
    return false;
  };
  entry->deadline = deadline;
  return insert(std::move(entry));
} catch (const std::bad_alloc&) {
  return Error{Condition::out_of_memory, ERROR_NOT_ENOUGH_MEMORY, "EventLoop::at"};
}

EventLoop::Id AsioLoop::insert(std::shared_ptr<Entry> entry) {
  const std::lock_guard lock(mutex_);
  const Id id = ++last_id_;
  const auto place = entries_.emplace(id, std::move(entry)).first;
  try {
    begin_wait(id, *place->second);
  } catch (...) {
    entries_.erase(place);
    throw;
  }
  return id;
}

void AsioLoop::begin_wait(Id id, Entry& entry) {
  const HandlerAllocator<std::byte> memory(entry.memory);
  if (entry.handle) {
    entry.handle->async_wait(asio::bind_allocator(
        memory, [this, id](const boost::system::error_code& error) { on_ready(id, error); }));
  } else if (!entry.deadline.is_never()) {
    entry.timer.expires_after(
        std::chrono::duration_cast<asio::steady_timer::duration>(entry.deadline.remaining()));
    entry.timer.async_wait(asio::bind_allocator(
        memory, [this, id](const boost::system::error_code& error) { on_due(id, error); }));
  }
}

void AsioLoop::begin_rest(Id id, Entry& entry) {
  entry.timer.expires_after(time_to_rest);
  entry.timer.async_wait(asio::bind_allocator(HandlerAllocator<std::byte>(entry.memory),
                                              [this, id](const boost::system::error_code& error) {
                                                if (!error) on_rested(id);
                                              }));
}

// Nobody could be told of a failure: without the memory for one more timer the loop comes back at once, for
// which the entry has all it takes.
void AsioLoop::wait_again(Id id, Entry& entry, bool rests) noexcept try {
  rests ? begin_rest(id, entry) : begin_wait(id, entry);
} catch (...) {
  asio::post(context_,
             asio::bind_allocator(HandlerAllocator<std::byte>(entry.memory), [this, id] { on_rested(id); }));
}

void AsioLoop::cancel(Id id) noexcept {
  std::shared_ptr<Entry> entry;  // goes after the lock: what the callback holds may call us
  std::unique_lock lock(mutex_);
  if (const auto found = entries_.find(id); found != entries_.end()) {
    entry = std::move(found->second);
    entries_.erase(found);
  }
  if (!in_loop_thread()) idle_.wait(lock, [&] { return running_ != id; });
}

void AsioLoop::post(std::function<void()> work) {
  asio::post(context_, [this, work = std::move(work)] {
    const std::lock_guard gate(gate_);
    work();
  });
}

void AsioLoop::on_ready(Id id, const boost::system::error_code& error) {
  const std::lock_guard gate(gate_);
  if (error == asio::error::operation_aborted) return;
  const auto entry = begin_call(id);
  if (!entry) return;
  if (!error) return end_call(id, entry->call());
  // The system has nothing to wait with. What cannot even be looked at counts as ready: whoever uses it
  // learns why.
  const bool ready = WaitForSingleObject(entry->handle->native_handle(), 0) != WAIT_TIMEOUT;
  end_call(id, !ready || entry->call(), true);
}

void AsioLoop::on_due(Id id, const boost::system::error_code& error) {
  const std::lock_guard gate(gate_);
  if (error) return;
  const auto entry = begin_call(id);
  if (entry) end_call(id, entry->deadline.expired() ? entry->call() : true);
}

void AsioLoop::on_rested(Id id) {
  const std::lock_guard gate(gate_);
  const std::lock_guard lock(mutex_);
  if (const auto found = entries_.find(id); found != entries_.end()) wait_again(id, *found->second, false);
}

std::shared_ptr<AsioLoop::Entry> AsioLoop::begin_call(Id id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return nullptr;
  running_ = id;
  return found->second;
}

void AsioLoop::end_call(Id id, bool again, bool rests) {
  const std::lock_guard lock(mutex_);
  running_.reset();
  if (const auto found = entries_.find(id); found != entries_.end()) {
    if (again) {
      wait_again(id, *found->second, rests);
    } else {
      entries_.erase(found);
    }
  }
  idle_.notify_all();
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  if (const auto fault = fault_point(Call::event_loop_create)) return *fault;
  try {
    return std::unique_ptr<EventLoop>(std::make_unique<AsioLoop>());
  } catch (const boost::system::system_error& error) {
    return error_of(static_cast<DWORD>(error.code().value()), "io_context");
  } catch (const std::system_error& error) {
    return Error{Condition::out_of_processes, error.code().value(), "std::thread"};
  } catch (const std::bad_alloc&) {
    return Error{Condition::out_of_memory, ERROR_NOT_ENOUGH_MEMORY, "EventLoop::create"};
  }
}

}  // namespace multiprocessing::platform
