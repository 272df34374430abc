// ctest: timeout=300
// What Python's test_concurrent_futures demands of executors of processes and of futures, test by test: the
// cases have the names of Python's. COVERAGE.md says which of them are held elsewhere, or mean nothing here.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace parity_executors {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::futures::ReturnWhen;
using mp::test_support::eventually;
using mp::test_support::with_each_start_method;

constexpr std::size_t workers = 5;

int mul(int x, int y) { return x * y; }
int absolute(int x) { return std::abs(x); }
int own_pid() { return *mp::current_process().pid(); }
int hang() {
  mp::connection::wait({mp::parent_process()->sentinel()});
  return 0;
}
int take(std::chrono::milliseconds time) {
  mp::connection::wait({mp::parent_process()->sentinel()}, time);
  return 1;
}
int take_a_while() { return take(20ms); }
int take_longer() { return take(500ms); }
int fails() { throw std::runtime_error("this is an exception"); }
/// As a crash ends a process, without a word.
[[noreturn]] void crash() { std::_Exit(9); }
int crash_after_a_while() {
  take_a_while();
  crash();
}
int crash_with_data(std::string) { crash(); }

/// What goes wrong with a value while it is written or read.
enum class Wrong { nothing, error, leave, crash };
void go(Wrong wrong) {
  if (wrong == Wrong::error) throw std::runtime_error("this value does not travel");
  if (wrong == Wrong::leave) std::_Exit(1);
  if (wrong == Wrong::crash) crash();
}
template <Wrong at_write, Wrong at_read>
struct Bad {
  template <class Archive>
  void save(Archive&) const {
    go(at_write);
  }
  template <class Archive>
  void load(Archive&) {
    go(at_read);
  }
};
using ErrorAtWrite = Bad<Wrong::error, Wrong::nothing>;
using LeaveAtWrite = Bad<Wrong::leave, Wrong::nothing>;
using CrashAtWrite = Bad<Wrong::crash, Wrong::nothing>;
using ErrorAtRead = Bad<Wrong::nothing, Wrong::error>;
using LeaveAtRead = Bad<Wrong::nothing, Wrong::leave>;
using CrashAtRead = Bad<Wrong::nothing, Wrong::crash>;

template <class T>
int take(T) {
  return 1;
}
template <class T>
T give() {
  return {};
}

/// Futures in every state that they can be in without an executor.
using Future = mp::Future<int>;
Future pending() { return Future(std::make_shared<mp::detail::FutureCore>()); }
Future cancelled() {
  auto future = pending();
  future.cancel();
  return future;
}
Future failed() {
  auto future = pending();
  future.core()->set_exception(std::make_exception_ptr(std::runtime_error("failed")));
  return future;
}
Future successful() {
  auto future = pending();
  mp::detail::Encoder encoder;
  mp::detail::encode(encoder, 42);
  future.core()->set_result({encoder.bytes().begin(), encoder.bytes().end()});
  return future;
}

/// Which of `all` these are.
std::set<std::size_t> which(const std::vector<Future>& some, const std::vector<Future>& all) {
  std::set<std::size_t> found;
  for (const auto& future : some)
    for (std::size_t i = 0; i < all.size(); ++i)
      if (all[i].core() == future.core()) found.insert(i);
  return found;
}
using Places = std::set<std::size_t>;

/// Of a worker: an end of a pipe that its initializer was given.
mp::Connection* line_of_worker = nullptr;
void keep_line(mp::Connection line) { line_of_worker = new mp::Connection(std::move(line)); }
/// Until there is something to receive, which stays there.
int wait_for_line() {
  mp::connection::wait({*line_of_worker});
  return 1;
}
void say_later() {
  take_a_while();
  line_of_worker->send(std::string("apple"));
}

/// A program that ends, or lets its executor go, with a task under way.
void leave_with_a_task(mp::Connection line, bool shut_down) {
  mp::ProcessPoolExecutor executor(1, {.initializer = {keep_line, line}});
  executor.submit(say_later);
  if (shut_down) executor.shutdown(false);
}

/// Counts those of this process that were let go of.
int released = 0;
struct Resource {
  int number = 0;
  ~Resource() { ++released; }
};

TEST_SUITE("parity.executors") {
  // InitializerMixin, FailingInitializerMixin

  TEST_CASE("test_initializer") {
    with_each_start_method([](mp::Context& context) {
      static int status = 0;
      mp::ProcessPoolExecutor good(2, {.initializer = {[](int x) { status = x; }, 7}, .context = context});
      for (int i = 0; i < 2; ++i) CHECK(good.submit([] { return status; }).result() == 7);
      mp::ProcessPoolExecutor bad(2, {.initializer = {[] { fails(); }}, .context = context});
      try {
        bad.submit([] { return status; }).result();
        FAIL_CHECK("no worker can begin");
      } catch (const mp::BrokenProcessPool& broken) {
        CHECK(std::string(broken.what()).find("this is an exception") != std::string::npos);
      }
      CHECK_THROWS_AS(bad.submit([] { return status; }), mp::BrokenProcessPool);
    });
  }

  // ExecutorShutdownTest, ProcessPoolShutdownTest

  TEST_CASE("test_interpreter_shutdown, test_hang_gh83386") {
    with_each_start_method([](mp::Context& context) {
      for (const bool shut_down : {false, true}) {
        auto [ours, theirs] = mp::Pipe();
        auto program = context.Process(leave_with_a_task, theirs, shut_down);
        program.start();
        theirs.close();
        CHECK(ours.recv<std::string>() == "apple");
        program.join();
        CHECK(program.exitcode() == 0);
      }
    });
  }

  TEST_CASE("test_run_after_shutdown, test_hang_issue12364") {
    with_each_start_method([](mp::Context& context) {
      mp::ProcessPoolExecutor executor(static_cast<int>(workers), {.context = context});
      std::vector<Future> futures;
      for (int i = 0; i < 50; ++i) futures.push_back(executor.submit(take_a_while));
      executor.shutdown();
      for (auto& future : futures) CHECK(future.result() == 1);
      CHECK_THROWS_AS(executor.submit(mul, 2, 5), mp::RuntimeError);
    });
  }

  TEST_CASE("test_cancel_futures") {
    with_each_start_method([](mp::Context& context) {
      mp::ProcessPoolExecutor executor(static_cast<int>(workers), {.context = context});
      std::vector<Future> futures;
      for (int i = 0; i < 50; ++i) futures.push_back(executor.submit(take_longer));
      executor.shutdown(true, true);
      std::size_t given_up = 0;
      for (auto& future : futures) {
        CHECK(future.done());
        if (future.cancelled())
          ++given_up;
        else
          CHECK(future.exception() == nullptr);
      }
      // As Python's: most have not begun, and what has begun is done.
      CHECK(given_up > 20);
    });
  }

  TEST_CASE("test_hang_gh94440") {
    mp::ProcessPoolExecutor first(1);
    CHECK(first.submit(mul, 1, 1).result() == 1);
    for (int i = 0; i < 20; ++i) {
      mp::ProcessPoolExecutor executor(1);
      if (i % 2 == 0) CHECK(executor.submit(mul, 1, 1).result() == 1);
      executor.submit(mul, 1, 1).cancel();
      executor.shutdown(true);
    }
  }

  TEST_CASE("test_processes_terminate, test_context_manager_shutdown") {
    with_each_start_method([](mp::Context& context) {
      {
        mp::ProcessPoolExecutor executor(static_cast<int>(workers), {.context = context});
        CHECK(executor.submit(mul, 21, 2).result() == 42);
        CHECK(mp::active_children().size() == workers);
        executor.shutdown();
        CHECK(mp::active_children().empty());
      }
      {
        mp::ProcessPoolExecutor executor(static_cast<int>(workers), {.context = context});
        int sum = 0;
        for (const int x : executor.map(absolute, std::views::iota(-5, 5))) sum += x;
        CHECK(sum == 25);
      }
      CHECK(mp::active_children().empty());
    });
  }

  TEST_CASE("test_del_shutdown, test_shutdown_no_wait") {
    with_each_start_method([](mp::Context& context) {
      for (const bool shut_down : {false, true}) {
        std::optional<mp::ProcessPoolExecutor> executor;
        executor.emplace(static_cast<int>(workers), mp::PoolOptions{.context = context});
        auto results = executor->map(absolute, std::views::iota(-5, 5));
        if (shut_down)
          executor->shutdown(false);
        else
          executor.reset();
        for (int i = -5; i < 5; ++i) CHECK(results.next() == std::abs(i));
        CHECK_FALSE(results.next());
        CHECK(eventually([] { return mp::active_children().empty(); }));
      }
    });
  }

  // WaitTests

  TEST_CASE("test_20369") {
    mp::ProcessPoolExecutor executor(2);
    auto future = executor.submit(take_a_while);
    const std::vector both = {future, future};
    const auto answer = mp::futures::wait(both);
    CHECK(answer.done.size() == 1);  // a set in Python, too
    CHECK(answer.not_done.empty());
  }

  TEST_CASE("test_first_completed, test_first_completed_some_already_completed") {
    mp::ProcessPoolExecutor executor(2);
    auto slow = executor.submit(hang);
    const std::vector two = {executor.submit(mul, 21, 2), slow};
    const auto first = mp::futures::wait(two, mp::infinite, ReturnWhen::first_completed);
    CHECK(which(first.done, two) == Places{0});
    CHECK(which(first.not_done, two) == Places{1});
    const std::vector three = {cancelled(), successful(), slow};
    const auto already = mp::futures::wait(three, mp::infinite, ReturnWhen::first_completed);
    CHECK(which(already.done, three) == Places{0, 1});
    CHECK(which(already.not_done, three) == Places{2});
    slow.cancel();
  }

  TEST_CASE("test_first_exception") {
    mp::ProcessPoolExecutor executor(2);
    auto slow = executor.submit(hang);
    auto quick = executor.submit(mul, 2, 21);
    CHECK(quick.result() == 42);
    const std::vector three = {quick, executor.submit(fails), slow};
    const auto answer = mp::futures::wait(three, mp::infinite, ReturnWhen::first_exception);
    CHECK(which(answer.done, three) == Places{0, 1});
    CHECK(which(answer.not_done, three) == Places{2});
    slow.cancel();
  }

  TEST_CASE("test_first_exception_some_already_complete, test_first_exception_one_already_failed") {
    mp::ProcessPoolExecutor executor(2);
    auto slow = executor.submit(hang);
    // One that was cancelled is no failure: the wait goes on until there is one.
    const std::vector some = {successful(), cancelled(), executor.submit(fails), slow};
    const auto answer = mp::futures::wait(some, mp::infinite, ReturnWhen::first_exception);
    CHECK(which(answer.done, some) == Places{0, 1, 2});
    CHECK(which(answer.not_done, some) == Places{3});
    const std::vector two = {failed(), slow};
    const auto at_once = mp::futures::wait(two, mp::infinite, ReturnWhen::first_exception);
    CHECK(which(at_once.done, two) == Places{0});
    CHECK(which(at_once.not_done, two) == Places{1});
    slow.cancel();
  }

  TEST_CASE("test_all_completed, test_timeout") {
    mp::ProcessPoolExecutor executor(2);
    auto slow = executor.submit(hang);
    const std::vector all = {successful(), cancelled(), failed(), executor.submit(fails),
                             executor.submit(mul, 6, 7)};
    const auto answer = mp::futures::wait(all);
    CHECK(which(answer.done, all) == Places{0, 1, 2, 3, 4});
    CHECK(answer.not_done.empty());
    auto more = all;
    more.push_back(slow);
    const auto late = mp::futures::wait(more, 50ms);
    CHECK(which(late.done, more) == Places{0, 1, 2, 3, 4});
    CHECK(which(late.not_done, more) == Places{5});
    slow.cancel();
  }

  // AsCompletedTests

  TEST_CASE("test_no_timeout, test_zero_timeout, test_correct_timeout_exception_msg") {
    mp::ProcessPoolExecutor executor(2);
    const std::vector all = {cancelled(), failed(), successful(), executor.submit(mul, 2, 21),
                             executor.submit(mul, 7, 6)};
    std::vector<Future> seen;
    for (auto& future : mp::futures::as_completed(all)) seen.push_back(future);
    CHECK(seen.size() == all.size());
    CHECK(which(seen, all) == Places{0, 1, 2, 3, 4});
    const std::vector some = {cancelled(), failed(), successful(), pending()};
    seen.clear();
    auto completed = mp::futures::as_completed(some, 0s);
    try {
      while (auto* const future = completed.next()) seen.push_back(*future);
      FAIL_CHECK("one is not done");
    } catch (const mp::TimeoutError& error) {
      const std::string text = error.what();
      CHECK(text.find("1 ") == 0);
      CHECK(text.find(" of 4 ") != std::string::npos);
    }
    CHECK(which(seen, some) == Places{0, 1, 2});
  }

  // ExecutorTest, ProcessPoolExecutorTest

  TEST_CASE("test_map, test_map_chunksize, test_max_workers_negative") {
    mp::ProcessPoolExecutor executor(static_cast<int>(workers));
    for (const std::size_t chunksize : {1U, 3U, 6U, 40U, 50U}) {
      int next = 0;
      for (const int x :
           executor.map(mp::MapOptions{.chunksize = chunksize}, absolute, std::views::iota(0, 40)))
        CHECK(x == next++);
      CHECK(next == 40);
    }
    for (const int wrong : {0, -1}) CHECK_THROWS_AS(mp::ProcessPoolExecutor{wrong}, mp::ValueError);
  }

  TEST_CASE("test_shutdown_race_issue12456") {
    with_each_start_method([](mp::Context& context) {
      mp::ProcessPoolExecutor executor(static_cast<int>(workers), {.context = context});
      const auto results = executor.map(absolute, std::vector<int>(workers + 1, 2));
      executor.shutdown();
    });
  }

  TEST_CASE("test_ressources_gced_in_workers") {
    with_each_start_method([](mp::Context& context) {
      mp::ProcessPoolExecutor executor(1, {.context = context});
      executor.submit(take<Resource>, Resource()).result();
      CHECK(executor.submit([] { return released; }).result() > 0);
    });
  }

  TEST_CASE("test_saturation") {
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = mp::Pipe();
      mp::ProcessPoolExecutor executor(static_cast<int>(workers),
                                       {.initializer = {keep_line, theirs}, .context = context});
      std::vector<Future> futures;
      for (std::size_t i = 0; i < 15 * workers; ++i) futures.push_back(executor.submit(wait_for_line));
      CHECK(mp::active_children().size() == workers);
      CHECK(mp::futures::wait(futures, 20ms, ReturnWhen::first_completed).done.empty());
      ours.send(1);  // it is looked at, and never taken
      for (auto& future : futures) CHECK(future.result() == 1);
    });
  }

  TEST_CASE("test_max_tasks_per_child, test_max_tasks_early_shutdown") {
    with_each_start_method([](mp::Context& context) {
      mp::ProcessPoolExecutor executor(1, {.maxtasksperchild = 3, .context = context});
      const int first = executor.submit(own_pid).result();
      CHECK(executor.submit(own_pid).result() == first);
      CHECK(executor.submit(own_pid).result() == first);
      CHECK(executor.submit(own_pid).result() != first);
      mp::ProcessPoolExecutor early(3, {.maxtasksperchild = 1, .context = context});
      std::vector<Future> futures;
      for (int i = 0; i < 6; ++i) futures.push_back(early.submit(mul, i, i));
      early.shutdown();
      for (int i = 0; i < 6; ++i) CHECK(futures[static_cast<std::size_t>(i)].result() == i * i);
    });
  }

  // ExecutorDeadlockTest: a worker's death is its task's, here, and the executor works on.

  TEST_CASE("test_error_at_task_pickle, test_error_at_task_unpickle, test_exit_…, test_crash_…") {
    with_each_start_method([](mp::Context& context) {
      mp::ProcessPoolExecutor executor(2, {.context = context});
      CHECK_THROWS_AS(executor.submit(take<ErrorAtWrite>, ErrorAtWrite()), mp::SerializationError);
      CHECK_THROWS(executor.submit(take<ErrorAtRead>, ErrorAtRead()).result());
      CHECK_THROWS_AS(executor.submit(take<LeaveAtRead>, LeaveAtRead()).result(), mp::WorkerDied);
      CHECK_THROWS_AS(executor.submit(take<CrashAtRead>, CrashAtRead()).result(), mp::WorkerDied);
      CHECK(executor.submit(mul, 6, 7).result() == 42);
    });
  }

  TEST_CASE(
      "test_crash_during_func_exec_on_worker, test_error_…; test_exit_…: leaving is no exception here") {
    with_each_start_method([](mp::Context& context) {
      mp::ProcessPoolExecutor executor(2, {.context = context});
      CHECK_THROWS_AS(executor.submit(crash).result(), mp::WorkerDied);
      CHECK_THROWS_AS(executor.submit([] { mp::exit(1); }).result(), mp::WorkerDied);
      CHECK_THROWS_AS(executor.submit(fails).result(), std::runtime_error);
      CHECK(executor.submit(mul, 6, 7).result() == 42);
    });
  }

  TEST_CASE("test_crash_during_result_pickle_on_worker, test_exit_…, test_error_…") {
    with_each_start_method([](mp::Context& context) {
      mp::ProcessPoolExecutor executor(2, {.context = context});
      CHECK_THROWS_AS(executor.submit(give<CrashAtWrite>).result(), mp::WorkerDied);
      CHECK_THROWS_AS(executor.submit(give<LeaveAtWrite>).result(), mp::WorkerDied);
      CHECK_THROWS_AS(executor.submit(give<ErrorAtWrite>).result(), mp::SerializationError);
      CHECK(executor.submit(mul, 6, 7).result() == 42);
    });
  }

  TEST_CASE("test_error_during_result_unpickle_in_result_handler") {
    mp::ProcessPoolExecutor executor(2);
    CHECK_THROWS(executor.submit(give<ErrorAtRead>).result());
    CHECK(executor.submit(mul, 6, 7).result() == 42);
  }

  TEST_CASE("test_shutdown_deadlock, test_shutdown_deadlock_pickle") {
    with_each_start_method([](mp::Context& context) {
      mp::ProcessPoolExecutor executor(2, {.context = context});
      auto lost = executor.submit(crash_after_a_while);
      executor.shutdown(true);
      CHECK_THROWS_AS(lost.result(), mp::WorkerDied);
      mp::ProcessPoolExecutor other(2, {.context = context});
      CHECK(other.submit(mul, 6, 7).result() == 42);
      CHECK_THROWS_AS(other.submit(take<ErrorAtWrite>, ErrorAtWrite()), mp::SerializationError);
      other.shutdown(false);
    });
  }

  TEST_CASE("test_crash_big_data") {
    with_each_start_method([](mp::Context& context) {
      mp::ProcessPoolExecutor executor(2, {.context = context});
      auto results = executor.map(crash_with_data, std::vector<std::string>(10, std::string(4 << 20, 'a')));
      for (int i = 0; i < 10; ++i) CHECK_THROWS_AS(results.next(), mp::WorkerDied);
      CHECK_FALSE(results.next());
    });
  }

  // FutureTests

  TEST_CASE("test_done_callback_already_successful, …_already_failed, …_raises_already_…") {
    for (auto& future : std::vector{successful(), failed(), cancelled()}) {
      bool called = false;
      future.add_done_callback([&](const Future& same) { called = same.core() == future.core(); });
      CHECK(called);
      CHECK_NOTHROW(future.add_done_callback([](const Future&) { throw std::runtime_error("doh!"); }));
    }
  }

  TEST_CASE("test_cancel, test_cancelled, test_done, test_result_with_…, test_exception_with_…") {
    CHECK(pending().cancel());
    for (auto& future : std::vector{successful(), failed(), cancelled()}) {
      CHECK(future.done());
      CHECK(future.cancel() == future.cancelled());
    }
    CHECK_FALSE(pending().cancelled());
    CHECK_FALSE(pending().done());
    CHECK(cancelled().cancelled());
    CHECK_FALSE(failed().cancelled());
    CHECK_THROWS_AS(pending().result(0s), mp::TimeoutError);
    CHECK_THROWS_AS(static_cast<void>(pending().exception(0s)), mp::TimeoutError);
    CHECK_THROWS_AS(cancelled().result(0s), mp::CancelledError);
    CHECK_THROWS_AS(static_cast<void>(cancelled().exception(0s)), mp::CancelledError);
    CHECK_THROWS_AS(failed().result(0s), std::runtime_error);
    CHECK(failed().exception(0s) != nullptr);
    CHECK(successful().result(0s) == 42);
    CHECK(successful().exception(0s) == nullptr);
  }
}

}  // namespace parity_executors
