// A foreign project's tests with gtest, whose main() is the library's.
#include <multiprocessing/adapters/gtest_main.hpp>

#include "doubled.hpp"

TEST(Consumer, StartsAProcess) { EXPECT_EQ(doubled_elsewhere(21), 42); }
