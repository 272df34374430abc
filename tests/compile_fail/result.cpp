// expect: a pointer means nothing in another process
// expect-gcc: deleted function .*cannot_travel.*result_of_the_target.*int\*
// expect-clang: can_travel<.*result_of_the_target, .*member<int \*>>
#include <multiprocessing/detail/task.hpp>

int* target() { return nullptr; }

int main() {
  multiprocessing::detail::make_task<false>(target);
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<true>(target);
#endif
}
