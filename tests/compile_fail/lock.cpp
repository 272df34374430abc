// expect: a lock of this process locks nobody in another; use multiprocessing::Lock
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*mutex
// expect-clang: can_travel<.*argument<1>, .*member<std::mutex>>
#include <multiprocessing/detail/task.hpp>

#include <memory>
#include <mutex>

void target(std::unique_ptr<std::mutex>);

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, std::make_unique<std::mutex>());
#endif
}
