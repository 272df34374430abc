// expect: a pointer means nothing in another process
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*const char\*
// expect-clang: can_travel<.*argument<1>, .*member<const char \*>>
#include <multiprocessing/detail/task.hpp>

#include <map>
#include <string>
#include <vector>

struct Inner {
  int number;
  const char* text;
};
struct Outer {
  std::map<std::string, std::vector<Inner>> inner;
};
void target(const Outer&);

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, Outer{});
#endif
}
