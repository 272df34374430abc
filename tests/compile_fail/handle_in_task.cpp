// expect: a handle does not travel with a pool's task or its result; bring it to the workers
// expect: by the pool's initializer, or send it through a Connection
// expect-gcc: deleted function .*cannot_travel.*argument<2>.*Connection
// expect-clang: can_travel<.*argument<2>, .*member<multiprocessing::Connection>>
#include <multiprocessing/futures.hpp>
#include <multiprocessing/multiprocessing.hpp>

namespace mp = multiprocessing;

void write_to(int, const mp::Connection&) {}

void work(mp::Pool& pool, mp::ProcessPoolExecutor& executor, mp::Connection& line) {
  mp::Pool with_line(1, {.initializer = {write_to, 1, line}});
  mp::Process(write_to, 1, line).start();
  mp::call(write_to, 1, line);
  mp::ThreadPool(1).apply(write_to, 1, std::ref(line));
  pool.apply([](const mp::Logger& logger) { logger.info("a name alone"); }, mp::get_logger());
  executor.submit([](int) {}, 1);
#if !defined(MULTIPROCESSING_CONTROL)
  executor.submit(write_to, 1, line);
#endif
}
