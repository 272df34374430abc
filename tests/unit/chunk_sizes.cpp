// How many tasks a chunk has where nobody says it: Python's rule, which is `Pool._map_async`'s
// `chunksize, extra = divmod(len(iterable), len(self._pool) * 4)` and one more where there is something
// extra.
#include <multiprocessing/detail/submit.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>

namespace unit_chunk_sizes {

using multiprocessing::detail::default_chunksize;

/// What Python 3.11 says; but no tasks are no chunks there, and here a chunk has one task at least.
struct Row {
  std::size_t tasks;
  std::size_t workers;
  std::size_t chunksize;
};

TEST_SUITE("unit.chunk_sizes") {
  TEST_CASE("as many as make four chunks for each worker") {
    for (const auto& [tasks, workers, chunksize] :
         {Row{0, 1, 1}, Row{1, 1, 1}, Row{3, 1, 1}, Row{4, 1, 1}, Row{5, 1, 2}, Row{8, 1, 2}, Row{9, 1, 3},
          Row{0, 3, 1}, Row{1, 3, 1}, Row{11, 3, 1}, Row{12, 3, 1}, Row{13, 3, 2}, Row{24, 3, 2},
          Row{25, 3, 3}, Row{100, 3, 9}, Row{1000, 8, 32}, Row{1024, 8, 32}, Row{1025, 8, 33},
          Row{1'000'000, 7, 35'715}}) {
      CAPTURE(tasks);
      CAPTURE(workers);
      CHECK(default_chunksize(tasks, workers) == chunksize);
    }
  }

  TEST_CASE("never more than four chunks for each worker, and no fewer tasks in one than that takes") {
    for (std::size_t workers = 1; workers <= 9; ++workers)
      for (std::size_t tasks = 1; tasks <= 200; ++tasks) {
        const auto size = default_chunksize(tasks, workers);
        CAPTURE(tasks);
        CAPTURE(workers);
        CHECK(size * 4 * workers >= tasks);
        CHECK((size - 1) * 4 * workers < tasks);
      }
  }

  TEST_CASE("the longest list there is does not overflow") {
    constexpr auto most = (std::numeric_limits<std::size_t>::max)();
    CHECK(default_chunksize(most, 1) == most / 4 + 1);
    CHECK(default_chunksize(most, 3) == most / 12 + 1);
  }
}

}  // namespace unit_chunk_sizes
