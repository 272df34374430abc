// A main() for doctest programs whose tests start processes. Include it in one file, in place of
// DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN.
#pragma once

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <multiprocessing/freeze_support.hpp>

int main(int argc, char** argv) {
  multiprocessing::freeze_support(argc, argv);
  doctest::Context context(argc, argv);
  return context.run();
}
