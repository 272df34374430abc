// Watches a handle in the event loop until it is ready for the first time.
#include <multiprocessing/detail/when_ready.hpp>

#include <memory>
#include <utility>

#include "contract/event_loop.hpp"
#include "support/callbacks.hpp"
#include "support/errors.hpp"
#include "support/reactor.hpp"

namespace multiprocessing::detail {

void when_ready(const Waitable& waitable, std::function<void()> resume) {
  auto& loop = runtime::reactor();
  const auto handle = (platform::RawHandle)waitable.native_handle().native();
  struct Wait {
    platform::EventLoop::Id id = 0;
    std::function<void()> resume;
  };
  const auto wait = std::make_shared<Wait>(Wait{0, std::move(resume)});
  // Begun in the loop's thread, so that the watch cannot fire before its number is known.
  loop.post([&loop, handle, wait] {
    const auto id = loop.watch(handle, [&loop, wait] {
      // The loop lets go of the handle first: whoever goes on may close it.
      loop.post([&loop, wait] {
        loop.cancel(wait->id);
        runtime::run_callback(std::exchange(wait->resume, nullptr));
      });
      return false;
    });
    if (id)
      wait->id = *id;
    else
      runtime::run_callback(std::exchange(wait->resume, nullptr));  // it will find out by itself
  });
}

}  // namespace multiprocessing::detail
