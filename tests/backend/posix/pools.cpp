// ctest: cost=20
// Workers that are forked while other threads of the program are anywhere.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/image.hpp"
#include "contract/process.hpp"
#include "contract/system.hpp"
#include "test_support/deep_stack.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"

namespace backend_pools {

namespace mp = multiprocessing;

[[noreturn]] void die() { mp::platform::end_now(9); }
void throws() { throw std::domain_error("in a worker"); }
int square(int x) { return x * x; }

/// Is in the loader, with its lock, nearly all the time.
void sit_in_the_loader(const std::atomic<bool>& done) {
  while (!done) static_cast<void>(mp::platform::locate(reinterpret_cast<const void*>(&square)));
}

int pid_and_hang(mp::Connection& line) {
  line.send(*mp::current_process().pid());
  mp::connection::wait({mp::parent_process()->sentinel()});
  return 0;
}
mp::Connection* line_of_worker = nullptr;

/// A program as a terminal sees it: a group of its own, busy with a pool.
void busy_program(mp::Connection line) {
  setpgid(0, 0);
  mp::Pool pool(
      2, {.initializer = {[](mp::Connection end) { line_of_worker = new mp::Connection(std::move(end)); },
                          line}});
  pool.map([](int) { return pid_and_hang(*line_of_worker); }, std::vector{0, 1}, 1);
}

int handles() { return mp::platform::open_handle_count().value_or(0); }

int own_pid() { return *mp::current_process().pid(); }
int parent_of_child() { return static_cast<int>(getppid()); }

/// A process that is stopped as long as this lives.
class Stopped {
 public:
  explicit Stopped(pid_t pid) : pid_(pid) { kill(pid_, SIGSTOP); }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;
  ~Stopped() { kill(pid_, SIGCONT); }

 private:
  pid_t pid_;
};

/// Stops the server, and tells whoever waits for it to give up, when it is written for a certain worker.
struct StopPlan {
  int worker = 0;
  pid_t server = 0;
  mp::StopSource* given_up = nullptr;
} stop_plan;
struct StopsServer {
  template <class Archive>
  void save(Archive&) const {
    if (--stop_plan.worker != 0) return;
    kill(stop_plan.server, SIGSTOP);
    stop_plan.given_up->request_stop();
  }
  template <class Archive>
  void load(Archive&) {}
};
void keep_line(StopsServer, mp::Connection line) {
  line.send(*mp::current_process().pid());
  line_of_worker = new mp::Connection(std::move(line));
}

/// A child of this process that reads no more until it is killed.
void stop_and_see(pid_t child) {
  REQUIRE(kill(child, SIGSTOP) == 0);
  siginfo_t told{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(child), &told, WSTOPPED | WNOWAIT) == 0);
}

/// Start methods whose workers are children of this process.
constexpr const char* own_children[] = {"fork", "spawn"};

TEST_SUITE("backend.pools") {
  TEST_CASE("a task that a worker had not read when it was killed is done by another, and is no retry") {
    if (!mp::platform::capabilities().tells_unread)
      return mp::test_support::skip("the system does not tell what a worker left unread");
    for (const char* method : own_children) {
      INFO("start method: ", method);
      mp::Pool pool(1, {.context = method});
      for (int round = 0; round < 5; ++round) {
        const pid_t worker = pool.apply(own_pid);
        stop_and_see(worker);
        auto task = pool.apply_async(own_pid);
        REQUIRE(kill(worker, SIGKILL) == 0);
        CHECK(task.get() != worker);
      }
    }
  }

  TEST_CASE("a task that may have begun when its worker was killed is not begun again") {
    auto [ours, theirs] = mp::Pipe();
    mp::Pool pool(
        1, {.initializer = {[](mp::Connection end) { line_of_worker = new mp::Connection(std::move(end)); },
                            theirs}});
    for (int round = 0; round < 5; ++round) {
      const auto begun = pool.apply_async([] { return pid_and_hang(*line_of_worker); });
      const pid_t worker = ours.recv<int>();
      stop_and_see(worker);
      const auto behind = pool.apply_async(square, round);
      REQUIRE(kill(worker, SIGKILL) == 0);
      CHECK_THROWS_AS(begun.get(), mp::WorkerDied);
      CHECK(behind.get() == round * round);
    }
    CHECK_FALSE(ours.poll());  // nobody began it again
  }

  TEST_CASE("a task that ends its thread ends its worker, which says so") {
    mp::Pool pool(1);
    const auto leaves_at_one = [](int x) {
      if (x == 1) pthread_exit(nullptr);
      return x;
    };
    CHECK(pool.apply(leaves_at_one, 0) == 0);
    try {
      pool.apply(leaves_at_one, 1);
      FAIL_CHECK("its worker has ended");
    } catch (const mp::WorkerDied& death) {
      CHECK(death.exitcode() == 0);
    }
    CHECK(pool.apply(leaves_at_one, 2) == 2);
  }

  TEST_CASE("a forked worker has no more open than one that is alone, whoever was there before it") {
    CHECK(mp::Pool(1, {.context = "fork"}).apply(square, 2) == 4);  // makes what a program keeps
    const int alone = mp::Pool(1, {.context = "fork"}).apply(handles);
    mp::Pool pool(6, {.context = "fork"});
    for (int round = 0; round < 3; ++round) {
      for (const int each : pool.map([](int) { return handles(); }, std::vector<int>(60), 1))
        CHECK(each == alone);
      CHECK_THROWS_AS(pool.apply(die), mp::WorkerDied);
    }
  }

  TEST_CASE("the time of a task begins when its worker has its input") {
    using namespace std::chrono_literals;
    constexpr std::size_t large = std::size_t{8} << 20;
    mp::Pool pool(1);
    const pid_t worker = pool.apply([] { return *mp::current_process().pid(); });
    REQUIRE(kill(worker, SIGSTOP) == 0);
    const auto size = pool.apply_async(
        mp::TaskOptions{.timeout = 10s}, [](const std::vector<char>& input) { return input.size(); },
        std::vector<char>(large));
    CHECK_FALSE(size.wait(12s));
    REQUIRE(kill(worker, SIGCONT) == 0);
    CHECK(size.get() == large);
    CHECK(pool.apply([] { return *mp::current_process().pid(); }) == worker);
  }

  TEST_CASE("a worker that takes the place of another may recurse as deep as the first") {
    constexpr std::size_t bytes = std::size_t{3} << 20;
    mp::Pool pool(1, {.context = "fork"});
    const auto first = pool.apply(mp::test_support::use_stack, bytes);
    for (int i = 0; i < 3; ++i) {
      CHECK_THROWS_AS(pool.apply(die), mp::WorkerDied);
      CHECK(pool.apply(mp::test_support::use_stack, bytes) == first);
    }
  }

  TEST_CASE("a pool comes to its end while the server that shall fork its next worker is stopped") {
    if (!mp::platform::capabilities().exact_sentinels)
      return mp::test_support::skip("without exact sentinels a child counts as ended when its server has");
    using End = void (*)(mp::Pool&);
    const End ends[] = {[](mp::Pool& pool) { pool.terminate(); }, [](mp::Pool& pool) { pool.close(); }};
    for (const End end : ends) {
      auto [ours, theirs] = mp::Pipe();
      mp::Pool pool(
          2,
          {.initializer = {[](mp::Connection line) { line_of_worker = new mp::Connection(std::move(line)); },
                           theirs},
           .context = "forkserver"});
      const auto begun = pool.apply_async([] { return pid_and_hang(*line_of_worker); });
      const pid_t worker = ours.recv<int>();
      const Stopped stopped(pool.apply(parent_of_child));
      REQUIRE(kill(worker, SIGKILL) == 0);
      CHECK_THROWS_AS(begun.get(), mp::WorkerDied);
      for (int i = 0; i < 100; ++i) CHECK(pool.apply(square, i) == i * i);  // the next one is being started
      end(pool);
      CHECK(pool.join(std::chrono::seconds(60)));
    }
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck,
                    "making a pool is given up while the server that shall fork its workers is stopped") {
    if (!mp::platform::capabilities().exact_sentinels)
      return mp::test_support::skip("without exact sentinels a child counts as ended when its server has");
    const auto give_up_at = [](int worker, auto make) {
      const pid_t server = mp::get_context("forkserver").call(parent_of_child);
      const auto before = mp::test_support::holdings();
      auto [ours, theirs] = mp::Pipe();
      mp::StopSource source;
      stop_plan = {worker, server, &source};
      CHECK_THROWS_AS(make(mp::PoolOptions{.initializer = {keep_line, StopsServer{}, theirs},
                                           .context = "forkserver",
                                           .stop = source.token()}),
                      mp::CancelledError);
      CHECK(stop_plan.worker == 0);
      CHECK(mp::active_children().empty());
      theirs.close();
      CHECK(kill(server, SIGCONT) == 0);
      const auto read_to_the_end = [&line = ours] {
        for (;;) line.recv<int>();
      };
      CHECK_THROWS_AS(read_to_the_end(), mp::EOFError);  // nobody has the other end any more
      ours.close();
      // Those that were killed are let go of by the first look after the server has told how they ended.
      CHECK(mp::test_support::eventually([&] {
        return mp::active_children().empty() && mp::test_support::holdings().handles == before.handles;
      }));
      CHECK(mp::get_context("forkserver").call(parent_of_child) == server);
    };
    for (const int worker : {1, 2, 3}) {
      INFO("given up at worker ", worker);
      give_up_at(worker, [](mp::PoolOptions options) { mp::Pool(3, std::move(options)); });
      give_up_at(worker, [](mp::PoolOptions options) { mp::ProcessPoolExecutor(3, std::move(options)); });
    }
  }

  TEST_CASE("an interrupt from the terminal ends a program and its workers") {
    for (const auto& method : mp::get_all_start_methods()) {
      INFO("start method: ", method);
      auto [ours, theirs] = mp::Pipe();
      mp::Process program = mp::get_context(method).Process(busy_program, theirs);
      program.start();
      const pid_t workers[] = {ours.recv<int>(), ours.recv<int>()};
      REQUIRE(kill(-*program.pid(), SIGINT) == 0);
      program.join();
      CHECK(program.exitcode() == -SIGINT);
      for (const pid_t worker : workers)
        CHECK(mp::test_support::eventually([=] { return kill(worker, 0) != 0; }));
    }
  }

  TEST_CASE("a worker that is forked while a thread holds the loader's lock runs, throws, and tells where") {
    std::atomic<bool> done = false;
    std::thread loader([&] { sit_in_the_loader(done); });
    {
      mp::Pool pool(1, {.context = "fork"});
      for (int i = 0; i < 30; ++i) {
        CHECK_THROWS_AS(pool.apply(die), mp::WorkerDied);
        CHECK_THROWS_AS(pool.apply(throws), std::domain_error);
        CHECK(pool.apply(square, i) == i * i);
      }
    }
    done = true;
    loader.join();
  }
}

}  // namespace backend_pools
