// One thread in a boost::asio::io_context. A handle is watched by a windows::object_handle on a duplicate of
// it, because Asio closes what it is given; the system's thread pool does the waiting, so any number can be
// watched. Entries live in a map under a lock; a completion looks itself up there by number, so that what was
// cancelled finds nothing and does nothing, even if its completion was under way.
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

class AsioLoop final : public EventLoop {
 public:
  AsioLoop() : work_(asio::make_work_guard(context_)), thread_([this] { context_.run(); }) {}
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
    std::function<bool()> call;
    std::optional<asio::windows::object_handle> handle;
    std::optional<asio::steady_timer> timer;
    Deadline deadline = Deadline::never();
    std::shared_ptr<HandlerMemory> memory = std::make_shared<HandlerMemory>();
  };
  using Entries = std::unordered_map<Id, std::shared_ptr<Entry>>;

  Id insert(std::shared_ptr<Entry> entry);
  void begin_wait(Id id, Entry& entry);
  void on_ready(Id id, const boost::system::error_code& error);
  void on_due(Id id, const boost::system::error_code& error);
  std::shared_ptr<Entry> begin_call(Id id);
  void end_call(Id id, bool again);

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
  auto entry = std::make_shared<Entry>();
  HANDLE copy = nullptr;
  if (!DuplicateHandle(self, native(handle), self, &copy, SYNCHRONIZE, FALSE, 0))
    return last_error("DuplicateHandle");
  entry->call = std::move(ready);
  entry->handle.emplace(context_, copy);
  return insert(std::move(entry));
} catch (const std::bad_alloc&) {
  return Error{Condition::out_of_memory, ERROR_NOT_ENOUGH_MEMORY, "EventLoop::watch"};
}

Result<EventLoop::Id> AsioLoop::at(Deadline deadline, std::function<void()> due) try {
  if (const auto fault = fault_point(Call::event_loop_at)) return *fault;
  auto entry = std::make_shared<Entry>();
  entry->call = [due = std::move(due)] {
    due();
    return false;
  };
  entry->deadline = deadline;
  entry->timer.emplace(context_);
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
    entry.timer->expires_after(
        std::chrono::duration_cast<asio::steady_timer::duration>(entry.deadline.remaining()));
    entry.timer->async_wait(asio::bind_allocator(
        memory, [this, id](const boost::system::error_code& error) { on_due(id, error); }));
  }
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
  // A handle that cannot be waited on ends its watch: nothing would ever make it ready.
  if (entry) end_call(id, !error && entry->call());
}

void AsioLoop::on_due(Id id, const boost::system::error_code& error) {
  const std::lock_guard gate(gate_);
  if (error) return;
  const auto entry = begin_call(id);
  if (entry) end_call(id, entry->deadline.expired() ? entry->call() : true);
}

std::shared_ptr<AsioLoop::Entry> AsioLoop::begin_call(Id id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return nullptr;
  running_ = id;
  return found->second;
}

void AsioLoop::end_call(Id id, bool again) {
  const std::lock_guard lock(mutex_);
  running_.reset();
  if (const auto found = entries_.find(id); found != entries_.end()) {
    if (again) {
      begin_wait(id, *found->second);
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
  }
}

}  // namespace multiprocessing::platform
