// A main() for Catch2 programs whose tests start processes, of version 2 and 3. Include it in one file. With
// version 2 it comes before every other include of Catch2, and in place of CATCH_CONFIG_MAIN; with version 3
// link Catch2::Catch2 rather than Catch2::Catch2WithMain. A single header that lies elsewhere (catch.hpp,
// catch_amalgamated.hpp) is included before this, that of version 2 after CATCH_CONFIG_RUNNER was defined.
#pragma once

#if !defined(CATCH_VERSION_MAJOR)
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif
#elif CATCH_VERSION_MAJOR < 3 && !defined(CATCH_CONFIG_RUNNER)
#error "include <multiprocessing/adapters/catch2_main.hpp> before <catch2/catch.hpp>"
#elif __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#endif
#include <multiprocessing/freeze_support.hpp>

int main(int argc, char** argv) {
  multiprocessing::freeze_support(argc, argv);
  return Catch::Session().run(argc, argv);
}
