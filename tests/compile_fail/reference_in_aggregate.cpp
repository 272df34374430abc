// expect: no references, and a default constructor
// expect-gcc: deleted function .*cannot_travel.*argument<1>.*Job
// expect-clang: can_travel<.*argument<1>, .*member<Job>>
#include <multiprocessing/detail/task.hpp>

struct Job {
  int& place;
};
void target(Job);

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  int value = 0;
  multiprocessing::detail::make_task<false>(target, Job{value});
#endif
}
