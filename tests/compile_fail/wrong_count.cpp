// expect: the target takes another number of arguments; all must be given, since default arguments are
// expect: no part
// expect-clang: same_number<1, 2>
#include <multiprocessing/detail/task.hpp>

void target(int, int = 2) {}

int main() {
  multiprocessing::detail::make_task<false>(target, 1, 2);
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, 1);
#endif
}
