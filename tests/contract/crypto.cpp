// Random numbers of the operating system.
#include "contract/crypto.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "test_support/leak_check.hpp"
#include "test_support/results.hpp"

namespace multiprocessing::platform::crypto_tests {

using namespace test_support;

TEST_SUITE("contract.crypto") {
  TEST_CASE_FIXTURE(LeakCheck, "no two draws are the same") {
    std::set<std::array<std::byte, 16>> draws;
    for (int i = 0; i < 1000; ++i) {
      std::array<std::byte, 16> draw{};
      must(random_bytes(draw));
      draws.insert(draw);
    }
    CHECK(draws.size() == 1000);
  }

  TEST_CASE_FIXTURE(LeakCheck, "nothing can be drawn") { must(random_bytes({})); }

  TEST_CASE_FIXTURE(LeakCheck, "a large buffer is filled to its end") {
    std::vector<std::byte> bytes(1 << 20);
    must(random_bytes(bytes));
    for (std::size_t begin = 0; begin < bytes.size(); begin += 4096) {
      const auto page = std::span(bytes).subspan(begin, 4096);
      REQUIRE(std::count(page.begin(), page.end(), std::byte{0}) < 200);
    }
  }
}

}  // namespace multiprocessing::platform::crypto_tests
