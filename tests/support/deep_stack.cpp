// A recursion that no compiler turns into a loop.
#include "test_support/deep_stack.hpp"

namespace multiprocessing::test_support {

std::size_t use_stack(std::size_t bytes) {
  volatile char room[1024];
  room[0] = static_cast<char>(bytes % 7);
  if (bytes < sizeof room) return static_cast<std::size_t>(room[0]);
  const auto below = use_stack(bytes - sizeof room);
  return below + static_cast<std::size_t>(room[0]);
}

}  // namespace multiprocessing::test_support
