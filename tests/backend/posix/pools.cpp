// Workers that are forked while other threads of the program are anywhere.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "contract/image.hpp"
#include "contract/process.hpp"
#include "test_support/leak_check.hpp"

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

TEST_SUITE("backend.pools") {
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
