// ctest: timeout=300
// A pool in whose process there is no memory for a large task, at each place where some is asked for: the
// call says so, or has its result; smaller tasks go on, and the pool comes to its end.
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "test_support/refused_memory.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

#if MULTIPROCESSING_TEST_OWN_MEMORY

namespace {

constexpr std::size_t large = std::size_t{4} << 20;
constexpr long any_number = 1'000'000'000;
/// How many more requests of much memory are met; the one behind them is not.
std::atomic<long> met{any_number};
long planned = 0;
std::atomic<int> refusals{0};

}  // namespace

bool mp::test_support::is_refused(std::size_t size) noexcept {
  if (size < large || met.fetch_sub(1) != 0) return false;
  ++refusals;
  return true;
}

namespace {

std::size_t length(const std::string& text) { return text.size(); }
int square(int x) { return x * x; }

/// False if a result is wrong.
bool one_large(mp::Pool& pool) try {
  const std::string text(2 * large, 'x');
  met = planned;  // the text is there
  return pool.apply(length, text) == text.size();
} catch (const std::bad_alloc&) {
  return true;
}

bool some_large_and_one_small(mp::Pool& pool) try {
  const std::vector<std::string> texts(3, std::string(2 * large, 'x'));
  met = planned;
  auto lengths = pool.map_async(length, texts, 1);
  auto small = pool.apply_async(square, 5);
  if (small.get(60s) != 25) return false;
  return lengths.get(60s) == std::vector<std::size_t>(3, 2 * large);
} catch (const std::bad_alloc&) {
  return true;
}

/// How often memory was refused, or -1 if something went wrong.
int refuse_each(mp::Context& context, bool (*work)(mp::Pool&)) {
  auto pool = context.Pool(2);
  int refused = 0;
  for (planned = 0;; ++planned) {
    refusals = 0;
    const bool right = work(pool);
    met = any_number;
    if (!right || pool.apply(square, 3) != 9) return -1;
    if (refusals == 0) break;
    ++refused;
  }
  pool.close();
  return pool.join(60s) ? refused : -1;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  bool good = true;
  for (const auto& method : mp::get_all_start_methods())
    for (const auto work : {one_large, some_large_and_one_small}) {
      const int refused = refuse_each(mp::get_context(method), work);
      std::printf("%s: %d refusals\n", method.c_str(), refused);
      good = good && refused > 0;
    }
  return mp::test_support::verdict(good ? 0 : 1);
}

#endif
