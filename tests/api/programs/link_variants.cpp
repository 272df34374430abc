// ctest: variants=static,static-pie,no-pie,lto,icf,stripped,no-build-id
// Function identity however the program is linked: functions that are the same code, lambdas, members and
// templates each run as themselves in a child that is executed anew, and exceptions and crashes are told.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "test_support/abilities.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

namespace {

int add(int a, int b) { return a + b; }
// The same code as add(): folding may give both one address, which changes no result.
int plus(int a, int b) { return a + b; }
int subtract(int a, int b) { return a - b; }
template <int n>
int times(int x) {
  return n * x;
}
struct Point {
  int x = 0;
  int y = 0;
  [[nodiscard]] int sum() const { return x + y; }
};
void fail() { throw std::out_of_range("far out"); }
[[gnu::noinline]] void crash_here(volatile int* nowhere) { *nowhere = 1; }
void crash() { crash_here(nullptr); }

int failures = 0;
void check(bool good, const char* what) {
  if (good) return;
  std::printf("wrong: %s\n", what);
  ++failures;
}

void check_calls(mp::Context& context) {
  check(context.call(add, 2, 3) == 5, "a function");
  check(context.call(plus, 2, 4) == 6, "a function with the code of another");
  check(context.call(subtract, 9, 2) == 7, "a function of the same signature");
  check(context.call(times<3>, 5) == 15, "a function template");
  check(context.call(times<4>, 5) == 20, "another specialization");
  check(context.call([](int x) { return x + 1; }, 1) == 2, "a lambda");
  check(context.call([](int x) { return x + 2; }, 1) == 3, "another lambda");
  check(context.call(mp::fn<&Point::sum>, Point{3, 4}) == 7, "a member function");
}

void check_failures(mp::Context& context) {
  try {
    context.call(fail);
    check(false, "an exception");
  } catch (const std::out_of_range& error) {
    check(std::string(error.what()) == "far out", "an exception's message");
  }
}

/// Where the program crashed is known, by the function's name or, where it was stripped of that, the
/// program's.
void check_crash(mp::Context& context, const std::string& program) {
  if (!mp::test_support::names_crashes()) return;
  try {
    context.call(crash);
    check(false, "a crash");
  } catch (const mp::ProcessExitedException& exited) {
    const std::string text = exited.what();
    check(text.find("crash_here") != std::string::npos || text.find(program + " + 0x") != std::string::npos,
          text.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  for (const auto& method : mp::get_all_start_methods()) {
    check_calls(mp::get_context(method));
    check_failures(mp::get_context(method));
    check_crash(mp::get_context(method), std::filesystem::path(argv[0]).filename().string());
  }
  return mp::test_support::verdict(failures == 0 ? 0 : 1);
}
