// expect: a const member cannot be read back
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*const int
// expect-clang: can_travel<.*argument<1>, .*member<const int>>
#include <multiprocessing/detail/task.hpp>

struct Fixed {
  const int a;
  int b;
};
void target(Fixed);

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, Fixed{1, 2});
#endif
}
