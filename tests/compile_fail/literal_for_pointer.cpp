// expect: send the value, a std::unique_ptr or a std::string instead
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*const char\*
// expect-clang: can_travel<.*argument<1>, .*member<const char \*>>
#include <multiprocessing/detail/task.hpp>

#include <string_view>

void bad(const char*);
void good(std::string_view) {}

int main() {
  multiprocessing::detail::make_task<false>(good, "bob");
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(bad, "bob");
#endif
}
