// ctest: cost=13
// Starting while the application holds locks of its own, or while other threads are inside the library:
// neither waits for the other for ever. What would is ended by the test's time limit.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "test_support/abilities.hpp"
#include "test_support/start_methods.hpp"

namespace api_locks {

namespace mp = multiprocessing;
using mp::test_support::with_each_start_method;
using namespace std::chrono_literals;

int same(int x) { return x; }
void nothing() {}

struct NoSink {
  ~NoSink() { mp::set_log_sink({}); }
};

TEST_SUITE("api.locks") {
  TEST_CASE("a process starts while a future's callback waits for a lock of the starter") {
    with_each_start_method([](mp::Context& context) {
      std::mutex mutex;
      std::promise<void> inside;
      std::promise<int> called;
      {
        const std::lock_guard lock(mutex);
        auto future = context.call_async(same, 1);
        future.add_done_callback([&](const mp::Future<int>& done) {
          inside.set_value();
          { const std::lock_guard mine(mutex); }
          called.set_value(done.result());
        });
        inside.get_future().wait();
        CHECK(context.call(same, 2) == 2);
        CHECK(context.call_async(same, 3).result() == 3);
      }
      CHECK(called.get_future().get() == 1);
    });
  }

  TEST_CASE("a future's callback starts processes and waits for their results") {
    with_each_start_method([](mp::Context& context) {
      std::promise<int> chained;
      context.call_async(same, 1).add_done_callback([&](const mp::Future<int>& done) {
        try {
          const int second = context.call_async(same, done.result() + 1).result();
          chained.set_value(context.call(same, second + 1));
        } catch (...) {
          chained.set_exception(std::current_exception());
        }
      });
      CHECK(chained.get_future().get() == 3);
    });
  }

  TEST_CASE("a time limit ends a wait in a future's callback") {
    std::promise<bool> stopped;
    mp::StopSource never;
    mp::call_async(same, 1).add_done_callback([&](const mp::Future<int>&) {
      const mp::TimeLimit limit(10ms);
      std::promise<void> over;
      const mp::StopCallback wake(limit.token(), [&] { over.set_value(); });
      over.get_future().wait();
      stopped.set_value(limit.expired());
    });
    CHECK(stopped.get_future().get());
  }

  TEST_CASE("a process starts while the callback of a time limit waits for a lock of the starter") {
    with_each_start_method([](mp::Context& context) {
      std::mutex mutex;
      std::promise<void> inside;
      const mp::TimeLimit limit(1ms);
      std::unique_lock lock(mutex);
      const mp::StopCallback wanting(limit.token(), [&] {
        inside.set_value();
        const std::lock_guard mine(mutex);
      });
      inside.get_future().wait();
      CHECK(context.call(same, 4) == 4);
      lock.unlock();
    });
  }

  TEST_CASE("a process starts while a log sink waits for a lock of the starter") {
    with_each_start_method([](mp::Context& context) {
      const NoSink restore;
      std::mutex mutex;
      std::promise<void> inside;
      std::atomic<bool> first{true};
      mp::set_log_sink([&](mp::Level, std::string_view) {
        if (!first.exchange(false)) return;
        inside.set_value();
        const std::lock_guard mine(mutex);
      });
      std::unique_lock lock(mutex);
      std::thread logging([] { mp::get_logger().error("x"); });
      inside.get_future().wait();
      CHECK(context.call(same, 5) == 5);
      CHECK(context.call([] {
        mp::get_logger().debug("a child can log, too");
        return 6;
      }) == 6);
      lock.unlock();
      logging.join();
    });
  }

  TEST_CASE("a log sink starts a process") {
    with_each_start_method([](mp::Context& context) {
      const NoSink restore;
      int got = 0;
      mp::set_log_sink([&](mp::Level, std::string_view) { got = context.call(same, 7); });
      mp::get_logger().error("x");
      CHECK(got == 7);
    });
  }

  TEST_CASE("names are changed, keys are read and processes start in three threads at once") {
    std::atomic<bool> done{false};
    std::thread naming([&] {
      while (!done) mp::current_process().set_name("MainProcess");
    });
    std::thread reading([&] {
      const mp::Process p(nothing);
      while (!done) static_cast<void>(p.authkey());
    });
    auto& context = mp::test_support::forks_beside_threads() ? mp::get_context() : mp::get_context("spawn");
    for (int i = 0; i < 100; ++i) {
      auto p = context.Process(nothing);
      p.start();
      p.join();
    }
    done = true;
    naming.join();
    reading.join();
  }
}

}  // namespace api_locks
