// ctest: timeout=300 labels=slow
// What a program that goes through an imap has in memory at most: as much for many inputs as for few.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <fstream>
#include <ranges>
#include <string>

#include "test_support/listener.hpp"
#include "test_support/own_memory.hpp"

namespace backend_pool_memory {

namespace mp = multiprocessing;

/// In kB, of this program alone: what getrusage() tells begins with the memory of whoever executed it. 0
/// where there is no such file.
long peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (long peak = 0; word == "VmHWM:" && status >> peak) return peak;
  return 0;
}

/// 0 as well if a result is wrong.
long peak_of_imap(int count) {
  mp::Pool pool(2);
  int next = 0;
  for (const int x : pool.imap([](int input) { return input; }, std::views::iota(0, count)))
    if (x != next++) return 0;
  return next == count ? peak_memory() : 0;
}

TEST_SUITE("backend.pool_memory") {
  TEST_CASE("ten times as many inputs of an imap take no more memory") {
#if MULTIPROCESSING_TEST_OWN_MEMORY
    if (peak_memory() == 0)
      return mp::test_support::skip("nobody tells how much memory a program had at most");
    auto& fresh = mp::get_context("spawn");
    const long few = fresh.call(peak_of_imap, 50'000);
    const long many = fresh.call(peak_of_imap, 500'000);
    MESSAGE("at most ", few, " kB over 50,000 inputs, ", many, " kB over 500,000");
    REQUIRE(few > 0);
    REQUIRE(many > 0);
    CHECK(2 * many <= 3 * few);
#else
    mp::test_support::skip("a sanitizer keeps what is freed");
#endif
  }
}

}  // namespace backend_pool_memory
