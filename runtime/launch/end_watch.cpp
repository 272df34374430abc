// A sentinel stays ready: while the word is missing the sentinel is not watched, or the loop would turn and
// turn.
#include "launch/end_watch.hpp"

#include <thread>
#include <utility>

#include "support/errors.hpp"
#include "support/out_of_memory.hpp"
#include "support/reactor.hpp"

namespace multiprocessing::runtime {

std::shared_ptr<EndWatch> EndWatch::begin(const std::shared_ptr<detail::ProcessState>& child,
                                          std::function<bool()> look) {
  auto watch = std::make_shared<EndWatch>();
  const std::weak_ptr weak = child;
  watch->end_ = value_or_throw(reactor().watch(child->sentinel_handle(),
                                               [watch, weak, look = std::move(look)] {
                                                 return look() && watch->wait_for_word(weak, look);
                                               }),
                               "the end of a child");
  return watch;
}

// True while the sentinel is what to wait for.
bool EndWatch::wait_for_word(const std::weak_ptr<detail::ProcessState>& child,
                             const std::function<bool()>& look) {
  const auto alive = child.lock();
  const auto word = alive ? alive->expected_word() : std::nullopt;
  if (!word) return true;
  if (word->handle == platform::no_handle) {
    // A nap in the reactor's thread, and then the sentinel again: rare, and short.
    std::this_thread::sleep_for(word->deadline.remaining());
    return true;
  }
  auto& loop = reactor();
  const auto told = or_out_of_memory([&] { return loop.watch(word->handle, look); });
  if (!told) return true;
  word_ = *told;
  const auto late =
      or_out_of_memory([&] { return loop.at(word->deadline, [look] { static_cast<void>(look()); }); });
  if (late) {
    late_ = *late;
    return false;
  }
  loop.cancel(word_);
  return true;
}

void EndWatch::cancel() noexcept {
  for (const auto id : {end_, word_, late_}) reactor().cancel(id);
}

}  // namespace multiprocessing::runtime
