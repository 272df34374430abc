// What the templates of a pool call.
#include <multiprocessing/pool.hpp>
#include <string>
#include <utility>

#include "pool/pool_core.hpp"

namespace multiprocessing::detail {

std::shared_ptr<PoolCore> make_pool(PoolSettings settings) {
  if (settings.processes < 1)
    throw ValueError("a pool needs at least one process, not " + std::to_string(settings.processes));
  if (settings.maxtasksperchild && *settings.maxtasksperchild == 0)
    throw ValueError("maxtasksperchild is at least 1");
  const auto stop = std::exchange(settings.stop, StopToken{});
  auto pool = std::make_shared<PoolCore>(std::move(settings));
  pool->start(stop);
  return pool;
}

int pool_size(const PoolCore& pool) noexcept { return pool.size(); }
void close_pool(PoolCore& pool) { pool.close(); }
void terminate_pool(PoolCore& pool, const StopToken& stop) {
  pool.terminate(false);
  pool.wait_for_end(stop);
}
bool join_pool(PoolCore& pool, Duration timeout, const StopToken& stop) { return pool.join(timeout, stop); }
void cancel_waiting_tasks(PoolCore& pool) { pool.cancel_waiting(); }
void break_executor(PoolCore& pool, bool kill) { pool.break_up(kill); }
void check_running(PoolCore& pool) { pool.check_running(); }

namespace {

/// A copy in a forked child is left as it is: another thread of the parent may have held its mutex.
bool leave_copy(std::shared_ptr<PoolCore>& pool) noexcept {
  if (pool->owned()) return false;
  static_cast<void>(new std::shared_ptr<PoolCore>(std::move(pool)));
  return true;
}

}  // namespace

void finish_executor(std::shared_ptr<PoolCore> pool) noexcept {
  if (pool == nullptr || leave_copy(pool)) return;
  try {
    pool->close();
    pool->join(infinite, {});
  } catch (...) {
    drop_pool(std::move(pool));
  }
}

void drop_pool(std::shared_ptr<PoolCore> pool) noexcept {
  if (pool == nullptr || leave_copy(pool)) return;
  try {
    pool->terminate(true);
  } catch (...) {
    // Without memory the workers are left to the end of the program.
  }
}

}  // namespace multiprocessing::detail
