// expect: a struct with a base class is not taken apart; give it serialize()
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*Derived
// expect-clang: can_travel<.*argument<1>, .*member<Derived>>
#include <multiprocessing/detail/task.hpp>

struct Base {
  int a;
};
struct Derived : Base {
  int b;
};
void target(Derived);

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, Derived{});
#endif
}
