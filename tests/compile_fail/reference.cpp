// expect: changes would be lost in the child; return the value, or take Value<T>
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*vector<int>&
// expect-clang: can_travel<.*argument<1>, .*member<std::vector<int.*> &>>
#include <multiprocessing/detail/task.hpp>

#include <vector>

void bad(std::vector<int>&);
void good(const std::vector<int>&) {}

int main() {
  std::vector<int> list;
  multiprocessing::detail::make_task<false>(good, list);
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(bad, list);
#endif
}
