// The peer: threads of TBB. `peer_tbb COUNT CHUNKSIZE` prints the seconds of a task that squares a number, of
// COUNT that two threads do in pieces of CHUNKSIZE; 0: as TBB likes.
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using Range = tbb::blocked_range<std::size_t>;

void square_all(const std::vector<int>& inputs, std::vector<int>& outputs, std::size_t chunksize) {
  const auto square = [&](const Range& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i) outputs[i] = inputs[i] * inputs[i];
  };
  if (chunksize == 0)
    tbb::parallel_for(Range(0, inputs.size()), square);
  else
    tbb::parallel_for(Range(0, inputs.size(), chunksize), square, tbb::simple_partitioner());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto count = std::strtoull(argv[1], nullptr, 10);
  const auto chunksize = std::strtoull(argv[2], nullptr, 10);
  tbb::task_arena two(2);
  const std::vector<int> inputs(count, 7);
  std::vector<int> outputs(count);
  two.execute([&] { square_all(inputs, outputs, chunksize); });  // starts the threads, touches the memory
  const auto start = std::chrono::steady_clock::now();
  two.execute([&] { square_all(inputs, outputs, chunksize); });
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  std::printf("%.12f\n", passed.count() / static_cast<double>(count));
}
