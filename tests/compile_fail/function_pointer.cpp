// expect: a function's address means nothing in another process
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*int \(\*\)\(int\)
// expect-clang: can_travel<.*argument<1>, .*member<int \(\*\)\(int\)>>
#include <multiprocessing/detail/task.hpp>

int twice(int n) { return 2 * n; }
void target(int (*)(int));

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, twice);
#endif
}
