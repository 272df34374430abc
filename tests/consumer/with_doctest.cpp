// A foreign project's tests with doctest, whose main() is the library's.
#include <multiprocessing/adapters/doctest_main.hpp>

#include "doubled.hpp"

TEST_CASE("a test starts a process") { CHECK(doubled_elsewhere(21) == 42); }
