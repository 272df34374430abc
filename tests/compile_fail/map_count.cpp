// expect: the target takes another number of arguments
#include <multiprocessing/futures.hpp>

#include <vector>

int one(int x) { return x; }
int two(int x, int y) { return x + y; }

void map_all(multiprocessing::ProcessPoolExecutor& executor, const std::vector<int>& numbers) {
  executor.map(two, numbers, numbers);
#if !defined(MULTIPROCESSING_CONTROL)
  executor.map(one, numbers, numbers);
#endif
}
