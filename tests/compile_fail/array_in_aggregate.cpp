// expect: C arrays cannot travel, in a struct neither; use std::array
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*Record
// expect-clang: can_travel<.*argument<1>, .*member<Record>>
#include <multiprocessing/detail/task.hpp>

#include <array>

struct Record {
  int number;
  char name[16];
};
struct Better {
  int number;
  std::array<char, 16> name;
};
void bad(Record);
void good(Better) {}

int main() {
  multiprocessing::detail::make_task<false>(good, Better{});
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(bad, Record{});
#endif
}
