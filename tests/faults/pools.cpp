// ctest: timeout=300 cost=15
// Pools whose workers die, hang, close their channel or cannot begin.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <future>
#include <map>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/fault.hpp"
#include "contract/process.hpp"
#include "test_support/clean_plan.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/start_methods.hpp"

namespace faults_pools {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
namespace platform = mp::platform;
using mp::test_support::CleanPlan;
using mp::test_support::LeakCheck;
using mp::test_support::with_each_start_method;

[[noreturn]] void die() { mp::platform::end_now(77); }
void hang() { mp::connection::wait({mp::parent_process()->sentinel()}); }
int die_of_three(int x) {
  if (x % 10 == 3) die();
  return x;
}
int hang_with(int x) {
  hang();
  return x;
}
int square(int x) { return x * x; }
/// An initializer whose worker may end where it would read its first task.
void die_unread_if_told(mp::Connection line) {
  if (line.recv<bool>()) platform::fault_plan::end(platform::Call::channel_read, 1);
}

mp::Connection* line = nullptr;
void keep_line(mp::Connection end) { line = new mp::Connection(std::move(end)); }
/// How often each item was begun, of all that told so.
std::map<int, int> begun_items(mp::Connection& told) {
  std::map<int, int> begun;
  while (told.poll(0s)) ++begun[told.recv<int>()];
  return begun;
}
constexpr int last_item = 24;
int throw_after_a_while(int x) {
  line->send(x);
  if (x == last_item) die();
  mp::connection::wait({mp::parent_process()->sentinel()}, 3ms);
  throw std::out_of_range(std::to_string(x));
}
int throw_every_other(int x) {
  line->send(x);
  if (x == last_item) die();
  const auto until = std::chrono::steady_clock::now() + 400us;
  while (std::chrono::steady_clock::now() < until) continue;
  if (x % 2 == 0) throw std::out_of_range(std::to_string(x));
  return x;
}
/// A worker cannot read it, and says so for each of its items at once, in few words.
struct Unreadable {
  int value = 0;
  int operator()(int x) const { return x + value; }
  template <class Archive>
  void save(Archive& archive) const {
    archive(value);
  }
  template <class Archive>
  void load(Archive&) {
    line->send(true);
    line->recv<bool>();
    throw std::runtime_error("");
  }
};

/// Keeps the reactor's thread in the log, once a worker has died.
class HeldReactor {
 public:
  HeldReactor() : level_(mp::get_logger().level()) {
    mp::get_logger().set_level(mp::Level::info);
    mp::set_log_sink([this](mp::Level, std::string_view message) {
      if (message.find("died in task") == message.npos) return;
      held_.set_value();
      released_.get_future().wait();
    });
  }
  HeldReactor(const HeldReactor&) = delete;
  HeldReactor& operator=(const HeldReactor&) = delete;
  ~HeldReactor() {
    mp::set_log_sink({});
    mp::get_logger().set_level(level_);
  }
  void wait_until_held() { held_.get_future().wait(); }
  void release() { released_.set_value(); }

 private:
  const mp::Level level_;
  std::promise<void> held_, released_;
};

TEST_SUITE("faults.pools") {
  // First, because under wine a mutex gets its event when threads first meet at it.
  TEST_CASE("in a chunk the one that kills is found, and the others have their results") {
    mp::Pool pool(2);
    std::set<std::size_t> dead, good;
    for (auto& outcome : pool.imap_outcomes(die_of_three, std::views::iota(0, 100), {.chunksize = 25}))
      (outcome ? good : dead).insert(outcome.index());
    CHECK(dead.size() == 10);
    CHECK(good.size() == 90);
    try {
      pool.map(die_of_three, std::views::iota(0, 20));
      FAIL("task 3 dies");
    } catch (const mp::WorkerDied& died) {
      CHECK(died.task() % 10 == 3);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a worker that dies costs its task and no other") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool = context.Pool(2);
      CHECK_THROWS_AS(pool.apply(die), mp::WorkerDied);
      std::set<std::size_t> dead;
      std::size_t good = 0;
      for (auto& outcome : pool.imap_outcomes(die_of_three, std::views::iota(0, 40)))
        if (outcome) {
          ++good;
          CHECK(*outcome == static_cast<int>(outcome.index()));
        } else {
          REQUIRE(outcome.died() != nullptr);
          CHECK(outcome.died()->task() == outcome.index());
          CHECK(outcome.died()->exitcode() == 77);
          CHECK(outcome.died()->pid() > 0);
          CHECK(outcome.died()->reason() == "exit 77");
          CHECK_FALSE(outcome.died()->signal());
          dead.insert(outcome.index());
        }
      CHECK(dead == std::set<std::size_t>{3, 13, 23, 33});
      CHECK(good == 36);
      CHECK(pool.apply(square, 5) == 25);
    });
  }

  TEST_CASE("failures that were read ahead are taken, however many lie before them") {
    auto [ours, theirs] = mp::Pipe();
    // Not forked: a copy of the process would find the log locked.
    mp::Pool pool = mp::get_context("spawn").Pool(2, {.initializer = {keep_line, theirs}});
    // More than the pool takes from a worker at a time, and it finds all of them at once.
    for (const int more : {1, 16, 80, 200}) {
      HeldReactor reactor;
      const std::vector<int> inputs(static_cast<std::size_t>(1024 + more));
      auto failing = pool.map_async(Unreadable(), inputs, inputs.size());
      CHECK(ours.recv<bool>());
      auto dying = pool.apply_async(die);
      reactor.wait_until_held();
      const auto releasing = std::async(std::launch::async, [&ours = ours, &reactor] {
        ours.send(true);
        std::this_thread::sleep_for(200ms);  // most likely all is written then
        reactor.release();
      });
      REQUIRE_THROWS_AS(failing.get(30s), mp::SerializationError);
      CHECK_THROWS_AS(dying.get(), mp::WorkerDied);
    }
  }

  TEST_CASE("in a chunk failures that took their time are known when a later item kills the worker") {
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = mp::Pipe();
      mp::Pool pool = context.Pool(1, {.initializer = {keep_line, theirs}});
      std::size_t threw = 0, died = 0;
      for (auto& outcome :
           pool.imap_outcomes(throw_after_a_while, std::views::iota(0, last_item + 1), {.chunksize = 25})) {
        REQUIRE_FALSE(outcome);
        if (outcome.died() != nullptr) {
          ++died;
          CHECK(outcome.index() == last_item);
        } else {
          ++threw;
          CHECK_THROWS_WITH_AS(std::rethrow_exception(outcome.error()),
                               std::to_string(outcome.index()).c_str(), std::out_of_range);
        }
      }
      CHECK(threw == last_item);
      CHECK(died == 1);
      for (const auto& [item, count] : begun_items(ours)) {
        INFO("item ", item);
        CHECK(count == 1);
      }
    });
  }

  TEST_CASE("in a chunk of short items some of which fail, those of the last moment alone are run twice") {
    auto [ours, theirs] = mp::Pipe();
    mp::Pool pool(1, {.initializer = {keep_line, theirs}});
    std::size_t good = 0, bad = 0;
    for (auto& outcome :
         pool.imap_outcomes(throw_every_other, std::views::iota(0, last_item + 1), {.chunksize = 25}))
      ++(outcome ? good : bad);
    CHECK(good == last_item / 2);
    CHECK(bad == last_item / 2 + 1);
    const auto begun = begun_items(ours);
    CHECK(begun.size() == last_item + 1);
    for (const auto& [item, count] : begun) {
      INFO("item ", item);
      // Of what is not sent the items took less than a millisecond together.
      if (item < last_item - 3) CHECK(count == 1);
    }
  }

  TEST_CASE("a task is run again as often as it may be, then given up alone") {
    auto [ours, theirs] = mp::Pipe();
    mp::Pool pool(1, {.initializer = {keep_line, theirs}, .retries = 2});
    const auto dies_twice = [](int x) {
      line->send(x);
      if (line->recv<bool>()) die();
      return x;
    };
    auto result = pool.apply_async(dies_twice, 7);
    for (const bool die_now : {true, true, false}) {
      CHECK(ours.recv<int>() == 7);
      ours.send(die_now);
    }
    CHECK(result.get() == 7);
    auto lost = pool.apply_async(mp::TaskOptions{.retries = 1}, dies_twice, 8);
    for (const bool die_now : {true, true}) {
      CHECK(ours.recv<int>() == 8);
      ours.send(die_now);
    }
    CHECK_THROWS_AS(lost.get(), mp::WorkerDied);
    CHECK(pool.apply(square, 3) == 9);
  }

  TEST_CASE("a task that takes too long costs its worker and no other task") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool = context.Pool(2);
      std::vector<mp::AsyncResult<int>> good;
      std::vector<mp::AsyncResult<void>> late;
      for (int i = 0; i < 20; ++i) {
        good.push_back(pool.apply_async(mp::TaskOptions{.timeout = 1h}, square, i));
        if (i % 10 == 3) late.push_back(pool.apply_async(mp::TaskOptions{.timeout = 100ms}, hang));
      }
      for (auto& result : late) CHECK_THROWS_AS(result.get(), mp::TimeoutError);
      for (int i = 0; i < 20; ++i) CHECK(good[static_cast<std::size_t>(i)].get() == i * i);
      std::size_t hung = 0;
      for (auto& outcome :
           pool.imap_outcomes(hang_with, std::views::iota(0, 3), {.task = {.timeout = 500ms}})) {
        REQUIRE_FALSE(outcome);
        CHECK_THROWS_AS(std::rethrow_exception(outcome.error()), mp::TimeoutError);
        ++hung;
      }
      CHECK(hung == 3);
      CHECK(pool.apply(square, 4) == 16);
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "cancel stops a task that runs, and one that waits") {
    mp::Pool pool(1);
    auto running = pool.apply_async(hang);
    auto waiting = pool.apply_async(square, 2);
    auto last = pool.apply_async(square, 3);
    CHECK(waiting.cancel());
    CHECK_THROWS_AS(waiting.get(), mp::CancelledError);
    CHECK(running.cancel());
    CHECK(running.cancel());
    CHECK_THROWS_AS(running.get(), mp::CancelledError);
    CHECK(last.get() == 9);
    mp::StopSource stop;
    auto stopped = pool.apply_async(mp::TaskOptions{.stop = stop.token()}, hang);
    auto stream = pool.imap(mp::TaskOptions{.stop = stop.token()}, square, std::views::iota(0));
    stop.request_stop();
    CHECK_THROWS_AS(stopped.get(), mp::CancelledError);
    CHECK_THROWS_AS(stream.next(), mp::CancelledError);
    CHECK_FALSE(stream.next());
    CHECK_THROWS_AS(pool.apply_async(mp::TaskOptions{.stop = stop.token()}, square, 1), mp::CancelledError);
    CHECK(pool.apply(square, 4) == 16);
  }

  TEST_CASE_FIXTURE(LeakCheck, "an initializer that fails is tried a few times, then told to all") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool throwing(
          2, {.initializer = {[] { throw std::domain_error("no database"); }}, .context = context});
      auto pending = throwing.apply_async(square, 1);
      CHECK_THROWS_AS(pending.get(), std::domain_error);
      CHECK_THROWS_AS(throwing.apply(square, 1), std::domain_error);
      mp::Pool leaving(1, {.initializer = {[] { mp::exit(3); }}, .context = context});
      CHECK_THROWS_AS(leaving.apply_async(square, 1).get(), mp::RuntimeError);
    });
  }

  TEST_CASE("a task that no worker has read is no worker's death, but not for ever") {
    if (!platform::capabilities().tells_unread)
      return mp::test_support::skip("the system does not tell what a worker left unread");
    const CleanPlan plan;
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = mp::Pipe();
      mp::Pool pool = context.Pool(1, {.initializer = {die_unread_if_told, theirs}});
      for (const bool dies : {true, true, true, false}) ours.send(dies);
      CHECK(pool.apply(square, 5) == 25);
      for (int i = 0; i < 120; ++i)
        ours.send(true);  // many more than anybody tries, but not all get that far
      CHECK_THROWS_AS(pool.apply(die), mp::WorkerDied);
      CHECK_THROWS_AS(pool.apply(square, 6), mp::WorkerDied);
    });
  }

  TEST_CASE("tasks that were written together, and of which nothing went out, are nobody's death") {
    with_each_start_method([](mp::Context& context) {
      const CleanPlan plan;
      mp::Pool pool = context.Pool(1);
      // So short that many go out at once, as the pool knows after these.
      CHECK(pool.map(square, std::views::iota(0, 200), 1).size() == 200);
      platform::fault_plan::fail(platform::Call::channel_write, 1, platform::Condition::broken);
      const auto squares = pool.map(square, std::views::iota(0, 50), 1);
      CHECK(squares.size() == 50);
      CHECK(squares.back() == 49 * 49);
      CHECK(platform::fault_plan::injected() == 1);
    });
  }

  TEST_CASE("workers killed from outside while they work change nothing with retries") {
    with_each_start_method([](mp::Context& context) {
      mp::Pool pool(2, {.retries = 100, .context = context});
      long long sum = 0;
      int count = 0, kills = 0;
      for (auto& outcome : pool.imap_outcomes(square, std::views::iota(0, 5000))) {
        CHECK(outcome.error() == nullptr);
        if (outcome) sum += *outcome;
        if (++count % 100 != 0) continue;
        auto children = mp::active_children();
        if (children.empty()) continue;
        children[static_cast<std::size_t>(kills++) % children.size()].kill();
      }
      CHECK(count == 5000);
      CHECK(sum == 41654167500LL);
      CHECK(kills > 10);
    });
  }

  // Python: TestPoolNotLeakOnFailure.test_release_unused_processes.
  TEST_CASE_FIXTURE(LeakCheck, "a pool whose fourth worker cannot be started leaves none of the three") {
    const CleanPlan plan;
    with_each_start_method([](mp::Context& context) {
      // The call that fails at the fourth start: forkserver makes two channels for each.
      const std::string method = context.get_start_method();
      const bool served = method == "forkserver";
      if (served) context.call(square, 1);  // the server is there
      const auto call = served              ? platform::Call::channel_pair
                        : method == "spawn" ? platform::Call::launch
                                            : platform::Call::fork_process;
      platform::fault_plan::clear();
      platform::fault_plan::fail(
          call, served ? 7 : 4,
          served ? platform::Condition::out_of_handles : platform::Condition::out_of_processes);
      CHECK_THROWS_AS(static_cast<void>(context.Pool(5)), mp::OSError);
      CHECK(platform::fault_plan::injected() == 1);
      platform::fault_plan::clear();
      CHECK(mp::active_children().empty());
      CHECK(context.Pool(2).apply(square, 5) == 25);
    });
  }

  TEST_CASE("a forked copy of the process may neither use nor end the pool") {
    if (!mp::test_support::can_fork()) return;
    mp::Pool pool(1);
    mp::ForkProcess child([&pool] {
      try {
        static_cast<void>(pool.apply(square, 2));
        mp::exit(1);
      } catch (const mp::AssertionError&) {
        mp::Pool taken = std::move(pool);
      }
    });
    child.start();
    child.join();
    CHECK(child.exitcode() == 0);
    CHECK(pool.apply(square, 3) == 9);
  }

  TEST_CASE("a pool in a child, and its end with the child") {
    with_each_start_method([](mp::Context& context) {
      CHECK(context.call(
                [](int x) {
                  mp::Pool pool(2);
                  return pool.apply(square, x);
                },
                6) == 36);
    });
  }
}

}  // namespace faults_pools
