// A main() for GoogleTest programs whose tests start processes. Include it in one file, and link gtest rather
// than gtest_main.
#pragma once

#include <gtest/gtest.h>
#include <multiprocessing/freeze_support.hpp>

int main(int argc, char** argv) {
  multiprocessing::freeze_support(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
