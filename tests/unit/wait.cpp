// Waiting for one handle and for many, with a stop request, and with the set that a thread keeps. Wakeups
// play the handles.
#include <multiprocessing/errors.hpp>
#include <multiprocessing/wait.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <random>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/channel.hpp"
#include "contract/handle.hpp"
#include "contract/process.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "launch/self.hpp"
#include "support/deadline.hpp"
#include "support/wait.hpp"
#include "test_support/listener.hpp"
#include "test_support/results.hpp"

namespace mp = multiprocessing;
namespace platform = mp::platform;
using namespace std::chrono_literals;

namespace wait_test {

using mp::test_support::must;
using Positions = std::vector<std::size_t>;

/// Something to wait for that has an identity, as a sentinel has. Stays ready from notify() until reset().
struct Event {
  Event() : wakeup(must(platform::Wakeup::create())), identity(++last_identity) {}
  [[nodiscard]] mp::Waitable waitable() const {
    return mp::Sentinel(mp::NativeHandle((mp::NativeHandle::native_type)wakeup.waitable()), identity);
  }
  void notify() {
    wakeup.notify();
    ready = true;
  }
  void reset() {
    wakeup.reset();
    ready = false;
  }

  static inline std::uint64_t last_identity = 0;
  platform::Wakeup wakeup;
  std::uint64_t identity;
  bool ready = false;
};

std::vector<mp::Waitable> waitables(const std::deque<Event>& events) {
  std::vector<mp::Waitable> list;
  for (const Event& event : events) list.push_back(event.waitable());
  return list;
}

Positions wait_now(const std::vector<mp::Waitable>& list) { return mp::detail::wait_for_any(list, 0s, {}); }

/// More than the number from which on a set is kept.
constexpr std::size_t many = 50;

/// Runs what leaves a set behind in a thread that takes it away with it.
void in_a_thread(const std::function<void()>& test) { std::thread(test).join(); }

/// Lists that change in every way, against what each wait must answer.
class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {
    for (std::size_t i = 0; i < many; ++i) events_.emplace_back();
    for (std::size_t i = 0; i < many; ++i) order_.push_back(i);
  }

  void step() {
    switch (below(8)) {
      case 0:
        replace_event();
        break;
      case 1:
        std::ranges::shuffle(order_, random_);
        break;
      case 2:
        order_.insert(order_.begin() + static_cast<std::ptrdiff_t>(below(order_.size())), below(many));
        break;
      case 3:
        if (order_.size() > many / 2)
          order_.erase(order_.begin() + static_cast<std::ptrdiff_t>(below(order_.size())));
        break;
      case 4:
        events_[below(many)].reset();
        break;
      case 5:
        events_[below(many)].notify();
        break;
      default:
        break;  // the same list again
    }
    check();
  }

 private:
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }

  /// Closes one, as an ended process is closed; somebody else may have a copy of its handle. The next one
  /// likely gets the same number.
  void replace_event() {
    Event& event = events_[below(many)];
    if (below(2) == 0) copies_.emplace_back(must(platform::duplicate_handle(event.wakeup.waitable())));
    if (below(2) == 0) event.notify();
    { const Event closed = std::move(event); }
    event = Event();
  }

  void check() {
    std::vector<mp::Waitable> list;
    Positions expected;
    for (std::size_t i = 0; i < order_.size(); ++i) {
      list.push_back(events_[order_[i]].waitable());
      if (events_[order_[i]].ready) expected.push_back(i);
    }
    CHECK(wait_now(list) == expected);
  }

  std::mt19937 random_;
  std::deque<Event> events_;
  std::vector<std::size_t> order_;  ///< the list, as positions in events_
  std::vector<platform::Handle> copies_;
};

}  // namespace wait_test

TEST_SUITE("unit.wait") {
  using wait_test::Event;
  using wait_test::in_a_thread;
  using wait_test::many;
  using wait_test::Positions;
  using wait_test::wait_now;

  TEST_CASE("one handle: ready, over time, no handle at all") {
    Event event;
    const platform::RawHandle handle = event.wakeup.waitable();
    CHECK_FALSE(mp::runtime::wait_for_handle(handle, platform::Deadline::now(), {}));
    CHECK_FALSE(mp::runtime::wait_for_handle(handle, mp::runtime::deadline_after(5ms), {}));
    std::thread notifier([&] { event.notify(); });
    CHECK(mp::runtime::wait_for_handle(handle, platform::Deadline::never(), {}));
    notifier.join();
    CHECK_THROWS_AS(
        static_cast<void>(mp::runtime::wait_for_handle(platform::no_handle, platform::Deadline::now(), {})),
        mp::OSError);
  }

  TEST_CASE("one handle: a stop request ends the waiting, but does not hide what is ready") {
    Event event;
    const platform::RawHandle handle = event.wakeup.waitable();
    mp::StopSource source;
    CHECK_FALSE(mp::runtime::wait_for_handle(handle, platform::Deadline::now(), source.token()));
    std::thread stopper([&] { source.request_stop(); });
    CHECK_THROWS_AS(
        static_cast<void>(mp::runtime::wait_for_handle(handle, platform::Deadline::never(), source.token())),
        mp::CancelledError);
    stopper.join();
    CHECK_THROWS_AS(
        static_cast<void>(mp::runtime::wait_for_handle(handle, platform::Deadline::now(), source.token())),
        mp::CancelledError);
    event.notify();
    CHECK(mp::runtime::wait_for_handle(handle, platform::Deadline::never(), source.token()));
  }

  TEST_CASE("many: all that are ready, ascending; none when the time is over; nothing for nothing") {
    std::deque<Event> events(5);
    const auto list = wait_test::waitables(events);
    CHECK(mp::detail::wait_for_any({}, mp::infinite, {}).empty());
    CHECK(wait_now(list).empty());
    events[3].notify();
    events[1].notify();
    CHECK(mp::detail::wait_for_any(list, mp::infinite, {}) == Positions{1, 3});
    CHECK(wait_now({list[3], list[3], list[0], list[1]}) == Positions{0, 1, 3});
  }

  TEST_CASE("elements of a range come back; those that cannot be copied, as Waitable") {
    std::deque<Event> events(3);
    events[1].notify();
    const std::vector<mp::Sentinel> sentinels = {mp::Sentinel(events[0].waitable().native_handle(), 1),
                                                 mp::Sentinel(events[1].waitable().native_handle(), 2)};
    CHECK(mp::connection::wait(sentinels) == std::vector{sentinels[1]});
    CHECK(mp::connection::wait({events[1].waitable(), events[2].waitable()}, 10s) ==
          std::vector{events[1].waitable()});
    CHECK(mp::connection::wait(std::vector<mp::Sentinel>()).empty());
  }

  TEST_CASE("something that nobody can wait for is an OSError, in a list of any length") {
    std::deque<Event> events(many);
    auto list = wait_test::waitables(events);
    list[7] = mp::Waitable(mp::Sentinel(mp::NativeHandle(), 12345));
    in_a_thread([&] {
      for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(wait_now(list), mp::OSError);
      CHECK_THROWS_AS(wait_now({list[7]}), mp::OSError);
    });
  }

  TEST_CASE("many: a stop request ends the waiting, with and without a kept set") {
    for (const std::size_t count : {std::size_t{3}, many}) {
      std::deque<Event> events(count);
      const auto list = wait_test::waitables(events);
      in_a_thread([&] {
        for (int round = 0; round < 4; ++round) {
          mp::StopSource source;
          CHECK(mp::detail::wait_for_any(list, 0s, source.token()).empty());
          std::thread stopper([&] { source.request_stop(); });
          CHECK_THROWS_AS(mp::detail::wait_for_any(list, mp::infinite, source.token()), mp::CancelledError);
          stopper.join();
          events[1].notify();
          CHECK(mp::detail::wait_for_any(list, mp::infinite, source.token()) == Positions{1});
          events[1].reset();
          CHECK(wait_now(list).empty());
        }
      });
    }
  }

  TEST_CASE("many: a wait that has begun sees what becomes ready later, with and without a kept set") {
    std::deque<Event> events(many);
    const auto list = wait_test::waitables(events);
    in_a_thread([&] {
      for (std::size_t round = 0; round < 4; ++round) {
        std::thread notifier([&] { events[round].notify(); });
        CHECK(mp::detail::wait_for_any(list, mp::infinite, {}) == Positions{round});
        notifier.join();
        events[round].reset();
      }
    });
  }

  TEST_CASE("a set is kept for many, and given up for few") {
    const auto handles = platform::open_handle_count();
    if (!handles || !platform::capabilities().kept_wait_sets) {
      mp::test_support::skip("no kept sets, or nobody counts handles here");
      return;
    }
    std::deque<Event> events(many);
    const auto list = wait_test::waitables(events);
    const auto count = [] { return platform::open_handle_count().value(); };
    in_a_thread([&] {
      const int before = count();
      CHECK(wait_now(list).empty());
      CHECK(count() == before);  // the first time it would not pay
      CHECK(wait_now(list).empty());
      CHECK(count() > before);
      const int kept = count();
      for (int i = 0; i < 3; ++i) CHECK(wait_now(list).empty());
      CHECK(count() == kept);
      CHECK(wait_now({list[0]}).empty());
      CHECK(count() == before);
      for (int i = 0; i < 2; ++i) CHECK(wait_now(list).empty());
      mp::runtime::drop_kept_wait_set();
      CHECK(count() == before);
    });
  }

  TEST_CASE("handles without identity are never kept") {
    const auto handles = platform::open_handle_count();
    if (!handles) {
      mp::test_support::skip("nobody counts handles here");
      return;
    }
    std::deque<Event> events(many);
    std::vector<mp::Waitable> list;
    for (const Event& event : events) list.emplace_back(event.waitable().native_handle());
    in_a_thread([&] {
      const int before = platform::open_handle_count().value();
      for (int i = 0; i < 3; ++i) CHECK(wait_now(list).empty());
      CHECK(platform::open_handle_count().value() == before);
    });
  }

  TEST_CASE("a kept set never misses and never invents, whatever happens to list and handles") {
    for (unsigned seed = 1; seed <= 5; ++seed) {
      CAPTURE(seed);
      in_a_thread([seed] {
        wait_test::Model model(seed);
        for (int i = 0; i < 400; ++i) model.step();
      });
    }
  }

  TEST_CASE("threads keep sets of their own for the same handles") {
    std::deque<Event> events(many);
    const auto list = wait_test::waitables(events);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
      threads.emplace_back([&] {
        for (int round = 0; round < 50; ++round) CHECK(wait_now(list).size() <= 1);
        CHECK(mp::detail::wait_for_any(list, mp::infinite, {}) == Positions{9});
      });
    events[9].notify();
    for (auto& thread : threads) thread.join();
  }

  TEST_CASE("a child that waits for its parent learns of its end where the channel stays open") {
    auto [parents, childs] = mp::test_support::must(platform::channel_pair());  // the first is a copy's
    const Event end_of_parent;
    const auto sentinel = mp::test_support::must(platform::duplicate_handle(end_of_parent.wakeup.waitable()));
    mp::runtime::ParentLink link(std::move(childs), {}, platform::Handle(sentinel));
    const auto something = std::byte{1};
    mp::test_support::must(parents.write_all(std::span(&something, 1), platform::Deadline::never()));
    CHECK(link.wait_until_readable());
    end_of_parent.wakeup.notify();
    CHECK(link.wait_until_readable());  // what came before is still to be read
    auto place = std::byte{};
    CHECK(mp::test_support::must(
              link.channel().read_some(std::span(&place, 1), platform::Deadline::never())) == 1);
    CHECK_FALSE(link.wait_until_readable());
  }

  TEST_CASE("a stop that a forked child requests wakes nobody in its parent") {
    if (!platform::capabilities().fork) return;
    mp::StopSource source;
    const mp::runtime::StopWakeup wakeup(source.token());
    auto outcome = mp::test_support::must(platform::fork_process({}));
    if (outcome.in_child) {
      source.request_stop();
      platform::end_now(source.stop_requested() ? 0 : 1);
    }
    mp::test_support::must(platform::wait_one(outcome.child.sentinel(), platform::Deadline::never()));
    CHECK(outcome.child.poll() == platform::ExitStatus{platform::ExitStatus::Kind::exited, 0});
    CHECK_FALSE(platform::wait_one(wakeup.get()->waitable(), platform::Deadline::now()));
    source.request_stop();
    CHECK(platform::wait_one(wakeup.get()->waitable(), platform::Deadline::now()));
  }
}
