// expect: only ForkProcess takes captures; pass them as arguments
// expect-gcc: deleted function .*cannot_travel.*target_object
// expect-clang: can_travel<.*target_object, .*member<.*lambda
#include <multiprocessing/detail/task.hpp>

int main() {
  int captured = 1;
  const auto lambda = [captured](auto n) { return n + captured; };
  multiprocessing::detail::make_local_task(lambda, 1);
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(lambda, 1);
#endif
}
