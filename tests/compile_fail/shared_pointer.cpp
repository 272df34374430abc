// expect: sharing ends at the process; send the value or a std::unique_ptr instead
// expect-gcc: deleted function .*cannot_travel.*argument<2>.*shared_ptr<int>
// expect-clang: can_travel<.*argument<2>, .*member<std::shared_ptr<int>>
#include <multiprocessing/detail/task.hpp>

#include <cereal/types/memory.hpp>
#include <memory>
#include <vector>

void target(int, std::vector<std::shared_ptr<int>>);

int main() {
#if !defined(MULTIPROCESSING_CONTROL)
  multiprocessing::detail::make_task<false>(target, 1, std::vector<std::shared_ptr<int>>());
#endif
}
