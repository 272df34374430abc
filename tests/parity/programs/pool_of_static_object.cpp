// ctest:
// Python's test_worker_finalization_via_atexit_handler_of_multiprocessing: a program ends with a pool in a
// global object, neither closed nor terminated. It must end, with its own status, for each start method.
#include <multiprocessing/multiprocessing.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

namespace {

double as_float(int x) { return x; }

/// Made before the pools, so that it ends after them: then the program has come through.
struct Last {
  bool reached_end_of_main = false;
  Last() = default;
  Last(const Last&) = delete;
  Last& operator=(const Last&) = delete;
  ~Last() {
    if (reached_end_of_main) static_cast<void>(mp::test_support::verdict(0));
  }
};
Last last;

struct Owner {
  std::unique_ptr<mp::Pool> pool;
};
std::vector<Owner> problems;

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  for (const std::string& method : mp::get_all_start_methods()) {
    problems.push_back({std::make_unique<mp::Pool>(1, mp::PoolOptions{.context = method})});
    const auto results = problems.back().pool->map(as_float, std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    if (results.size() != 10 || results.back() != 9.0) return mp::test_support::verdict(1);
  }
  last.reached_end_of_main = true;
}
