// expect: this argument cannot be converted to the type of the target's parameter
// expect: argument<2>
#include <multiprocessing/detail/task.hpp>

#include <string>

void target(int, std::string) {}

int main() {
  multiprocessing::detail::make_task<false>(target, 1, "2");
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, 1, 2);
#endif
}
