// Watches a handle in the event loop until it is ready for the first time.
#include <multiprocessing/detail/when_ready.hpp>

#include <memory>
#include <mutex>
#include <utility>

#include "contract/event_loop.hpp"
#include "support/callbacks.hpp"
#include "support/errors.hpp"
#include "support/reactor.hpp"

namespace multiprocessing::detail {
namespace {

class Wait : public std::enable_shared_from_this<Wait> {
 public:
  explicit Wait(std::function<void()> resume) : resume_(std::move(resume)) {}

  void begin(platform::RawHandle handle) {
    const std::scoped_lock lock(mutex_);  // it may be ready before its number is known
    id_ = runtime::value_or_throw(loop_.watch(handle, [self = shared_from_this()] { return self->ready(); }),
                                  "a wait");
  }

  void give_up() {
    platform::EventLoop::Id id = 0;
    {
      const std::scoped_lock lock(mutex_);
      resume_ = nullptr;
      id = id_;
    }
    loop_.cancel(id);
  }

 private:
  bool ready() {
    // The loop lets go of the handle first: whoever goes on may close it.
    loop_.post([self = shared_from_this()] { self->go_on(); });
    return false;
  }

  void go_on() {
    std::function<void()> resume;
    {
      const std::scoped_lock lock(mutex_);
      loop_.cancel(id_);
      resume = std::exchange(resume_, nullptr);
    }
    if (resume) runtime::run_callback(std::move(resume));
  }

  platform::EventLoop& loop_ = runtime::reactor();
  std::mutex mutex_;
  platform::EventLoop::Id id_ = 0;
  std::function<void()> resume_;
};

}  // namespace

std::function<void()> when_ready(const Waitable& waitable, std::function<void()> resume) {
  const auto wait = std::make_shared<Wait>(std::move(resume));
  wait->begin((platform::RawHandle)waitable.native_handle().native());
  return [wait] { wait->give_up(); };
}

}  // namespace multiprocessing::detail
