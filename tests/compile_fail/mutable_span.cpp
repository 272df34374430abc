// expect: a view inside another type looks into memory of this process
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*span<int>
// expect-clang: can_travel<.*argument<1>, .*member<std::span<int.*>>>
#include <multiprocessing/detail/task.hpp>

#include <span>
#include <vector>

void bad(std::span<int>);
void good(std::span<const int>) {}

int main() {
  std::vector<int> list;
  multiprocessing::detail::make_task<false>(good, list);
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(bad, list);
#endif
}
