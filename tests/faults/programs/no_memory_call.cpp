// ctest: timeout=300
// call_async in a process that has no memory for a large result, at each place where some is asked for: the
// call says so, or has its result; other calls go on, and so does the program.
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#include "contract/process.hpp"
#include "test_support/refused_memory.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

#if MULTIPROCESSING_TEST_OWN_MEMORY

namespace {

constexpr std::size_t large = std::size_t{1} << 20;
constexpr long any_number = 1'000'000'000;
/// How many more requests of much memory are met; those behind them are not.
std::atomic<long> met{any_number};
std::atomic<int> refusals{0};
int here = 0;  ///< forked children begin with a copy of `met`, and have all the memory they want

}  // namespace

bool mp::test_support::is_refused(std::size_t size) noexcept {
  if (size < large || mp::platform::current_pid() != here || met.fetch_sub(1) > 0) return false;
  ++refusals;
  return true;
}

namespace {

std::string text_of(std::size_t size) { return std::string(size, 'x'); }
int square(int x) { return x * x; }

/// False if the result is wrong.
bool large_result(mp::Context& context, long planned) try {
  met = planned;
  auto text = context.call_async(text_of, 8 * large);
  return text.result(60s).size() == 8 * large;
} catch (const std::bad_alloc&) {
  return true;
}

/// How often memory was refused, or -1 if something went wrong.
int refuse_each(mp::Context& context) {
  for (int planned = 0;; ++planned) {
    refusals = 0;
    const bool right = large_result(context, planned);
    met = any_number;
    if (!right || context.call_async(square, 3).result(60s) != 9) return -1;
    if (refusals == 0) return planned;
  }
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  here = mp::platform::current_pid();
  bool good = true;
  for (const auto& method : mp::get_all_start_methods()) {
    const int refused = refuse_each(mp::get_context(method));
    std::printf("%s: %d refusals\n", method.c_str(), refused);
    good = good && refused > 0;
  }
  return mp::test_support::verdict(good ? 0 : 1);
}

#endif
