// expect: a pointer means nothing in another process; send the value, a std::unique_ptr or a std::string
// expect: instead
// expect-gcc: deleted function .*cannot_travel.*argument<2>.*int\*
// expect-clang: can_travel<.*argument<2>, .*member<int \*>>
#include <multiprocessing/detail/task.hpp>

void target(int, int*);

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  int value = 0;
  multiprocessing::detail::make_task<false>(target, 1, &value);
#endif
}
