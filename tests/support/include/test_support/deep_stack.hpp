// Goes deep down the stack, for tests of how much of it a thread has.
#pragma once

#include <cstddef>

namespace multiprocessing::test_support {

/// Uses so many bytes of stack, and comes to a value that nobody can work out without having been that deep.
[[nodiscard]] std::size_t use_stack(std::size_t bytes);

}  // namespace multiprocessing::test_support
