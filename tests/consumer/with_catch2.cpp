// A foreign project's tests with catch2, whose main() is the library's.
#include <multiprocessing/adapters/catch2_main.hpp>

#if CATCH_VERSION_MAJOR >= 3
#include <catch2/catch_test_macros.hpp>
#endif

#include "doubled.hpp"

TEST_CASE("a test starts a process") { CHECK(doubled_elsewhere(21) == 42); }
