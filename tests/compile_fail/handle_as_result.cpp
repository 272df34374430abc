// expect: a handle does not travel with a pool's task or its result; bring it to the workers
// expect: by the pool's initializer, or send it through a Connection
// expect-gcc: deleted function .*cannot_travel.*result_of_the_target.*Connection
// expect-clang: can_travel<.*result_of_the_target, .*member<multiprocessing::Connection>>
#include <multiprocessing/multiprocessing.hpp>

#include <vector>

namespace mp = multiprocessing;

mp::Connection open_line(int) { return mp::Connection(); }

void work(mp::Pool& pool, mp::ThreadPool& threads, const std::vector<int>& numbers) {
  threads.map(open_line, numbers);
#if !defined(MULTIPROCESSING_CONTROL)
  pool.map(open_line, numbers);
#endif
}
