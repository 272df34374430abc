// A sentinel stays ready: while the word is missing the sentinel is not watched, or the loop would turn and
// turn.
#include "launch/end_watch.hpp"

#include <thread>
#include <utility>

#include "support/errors.hpp"
#include "support/out_of_memory.hpp"
#include "support/reactor.hpp"

namespace multiprocessing::runtime {

EndWatch::EndWatch(const std::shared_ptr<detail::ProcessState>& child)
    : sentinel_(child->sentinel_handle()), child_(child) {}

std::shared_ptr<EndWatch> EndWatch::begin(const std::shared_ptr<detail::ProcessState>& child,
                                          std::function<bool()> look) {
  auto watch = std::make_shared<EndWatch>(child);
  watch->end_ = value_or_throw(watch->on_sentinel(std::make_shared<std::function<bool()>>(std::move(look))),
                               "the end of a child");
  return watch;
}

// The callbacks hold what they look with, and this: cancel() lets go of all.
platform::Result<platform::EventLoop::Id> EndWatch::on_sentinel(const Look& look) {
  return or_out_of_memory([&] {
    return reactor().watch(sentinel_, [self = shared_from_this(), look] { return self->ended(look); });
  });
}

// True while the sentinel is what to wait for.
bool EndWatch::ended(const Look& look) { return !cancelled_ && (*look)() && !waits_for_word(look); }

bool EndWatch::waits_for_word(const Look& look) {
  const auto alive = child_.lock();
  const auto word = alive ? alive->expected_word() : std::nullopt;
  if (!word) return false;
  const bool told = word->handle != platform::no_handle;
  auto& loop = reactor();
  if (told) {
    const auto watched =
        or_out_of_memory([&] { return loop.watch(word->handle, [look] { return (*look)(); }); });
    if (!watched) return false;
    word_ = *watched;
  }
  const auto late = or_out_of_memory([&] {
    return loop.at(word->deadline, [self = shared_from_this(), look, told] {
      if (told) reactor().cancel(self->word_);
      self->look_again(look);
    });
  });
  if (late) {
    late_ = *late;
    return true;
  }
  if (told)
    loop.cancel(word_);
  else
    std::this_thread::sleep_for(word->deadline.remaining());  // no memory to wait in any other way
  return false;
}

void EndWatch::look_again(const Look& look) {
  while (ended(look)) {
    const auto again = on_sentinel(look);
    if (again) {
      again_ = *again;
      return;
    }
    std::this_thread::yield();
  }
}

// A callback that was running when this began may have left another behind.
void EndWatch::cancel() noexcept {
  cancelled_ = true;
  for (const auto* id : {&end_, &again_, &late_, &again_, &late_, &word_}) reactor().cancel(*id);
}

}  // namespace multiprocessing::runtime
