// The text of a stack trace.
#include "launch/symbolize.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "contract/capabilities.hpp"
#include "test_support/listener.hpp"

namespace multiprocessing::runtime::symbolize_tests {

int function_of_the_test(int value);
int function_of_the_test(int value) { return value + 1; }
using Function = int (*)(int);
volatile Function function = &function_of_the_test;

namespace {

using platform::FrameLocation;
using platform::Symbol;
using test_support::skip;

}  // namespace

TEST_SUITE("unit.symbolize") {
  TEST_CASE("a stack without frames is no text") { CHECK(symbolize({}).empty()); }

  TEST_CASE("each frame is a line with all that is known") {
    const std::vector<FrameLocation> frames = {{7, "/opt/app/bin/scan", 0x1010},
                                               {7, "C:\\app\\scan.exe", 0x2020},
                                               {8, "/lib/libc.so", 0x30},
                                               {9, "", 0x40},
                                               {0, "", 0xdead}};
    const std::vector<Symbol> symbols = {
        {"parse(int)", 0x10, "parser.cpp", 12}, {"main", 0x20, "", 0}, {}, {}, {}};
    CHECK(format_stack(frames, symbols) ==
          "  #0 parse(int) + 0x10 at parser.cpp:12 (scan)\n"
          "  #1 main + 0x20 (scan.exe)\n"
          "  #2 libc.so + 0x30\n"
          "  #3 unknown image + 0x40\n"
          "  #4 0xdead\n");
  }

  TEST_CASE("what lies outside of the supervised call is left out") {
    const std::vector<FrameLocation> frames(3, FrameLocation{7, "/bin/scan", 1});
    const std::vector<Symbol> symbols = {{"work()", 1, "", 0},
                                         {"multiprocessing::platform::call_traced(void (*)(void*), void*, "
                                          "multiprocessing::platform::ThrowTrace&)",
                                          2, "", 0},
                                         {"main", 3, "", 0}};
    CHECK(format_stack(frames, symbols) == "  #0 work() + 0x1 (scan)\n");
  }

  TEST_CASE("a function of this program is named") {
    if (!platform::capabilities().symbol_names) return skip("addresses cannot be turned into names here");
    const std::array<const void*, 1> addresses = {reinterpret_cast<const void*>(Function(function))};
    const std::string text = symbolize(platform::locate_frames(addresses));
    CHECK(
        text.starts_with("  #0 multiprocessing::runtime::symbolize_tests::function_of_the_test(int) + 0x0"));
    CHECK(text.ends_with(")\n"));
  }

  TEST_CASE("frames that make no sense are still shown") {
    const std::vector<FrameLocation> frames = {{42, "/no/such/library.so", 0x99}};
    CHECK(symbolize(frames) == "  #0 library.so + 0x99\n");
  }
}

}  // namespace multiprocessing::runtime::symbolize_tests
