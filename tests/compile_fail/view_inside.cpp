// expect: a view inside another type looks into memory of this process; use std::string or std::vector there
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*string_view
// expect-clang: can_travel<.*argument<1>, .*member<std::basic_string_view<char
#include <multiprocessing/detail/task.hpp>

#include <string_view>
#include <vector>

void target(std::vector<std::string_view>);

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, std::vector<std::string_view>());
#endif
}
