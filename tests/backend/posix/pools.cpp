// Workers that are forked while other threads of the program are anywhere.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "contract/image.hpp"
#include "contract/process.hpp"

namespace backend_pools {

namespace mp = multiprocessing;

[[noreturn]] void die() { mp::platform::end_now(9); }
void throws() { throw std::domain_error("in a worker"); }
int square(int x) { return x * x; }

/// Is in the loader, with its lock, nearly all the time.
void sit_in_the_loader(const std::atomic<bool>& done) {
  while (!done) static_cast<void>(mp::platform::locate(reinterpret_cast<const void*>(&square)));
}

TEST_SUITE("backend.pools") {
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
