// ctest:
// MULTIPROCESSING_START_METHOD, and what is known of start methods before one is fixed. A test binary may
// have fixed one already and hand it on to its children: so each check is this program anew, which comes to
// main() with an environment of its own and never to freeze_support().
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "own_program.hpp"
#include "test_support/abilities.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

namespace {

constexpr const char* variable = "MULTIPROCESSING_START_METHOD";
constexpr const char* check_variable = "START_METHOD_CHECK";
constexpr const char* expected_variable = "START_METHOD_EXPECTED";

int failures = 0;
void check(bool good, const std::string& what) {
  if (good) return;
  std::printf("wrong: %s\n", what.c_str());
  ++failures;
}

std::string text_of(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr ? text : "";
}

/// None is fixed yet, and neither this question nor those for the list and for contexts fix one.
void check_none_is_fixed() {
  check(!mp::get_all_start_methods().empty(), "there are start methods");
  check(mp::get_start_method(true) == std::nullopt, "a method is fixed that nobody asked for");
  check(mp::get_context().get_start_method(true) == std::nullopt, "the default context has one fixed");
}

void check_order() {
  const std::vector<std::string> expected = !mp::test_support::forks() ? std::vector<std::string>{"spawn"}
                                            : mp::test_support::forks_by_default()
                                                ? std::vector<std::string>{"fork", "spawn", "forkserver"}
                                                : std::vector<std::string>{"spawn", "fork", "forkserver"};
  std::string names;
  for (const auto& name : mp::get_all_start_methods()) names += name + ' ';
  check(mp::get_all_start_methods() == expected, "the order of the start methods: " + names);
}

/// The default is `expected`, is fixed by being asked for, and from then on is changed by force alone.
void check_default(const std::string& expected) {
  check(mp::get_context("").get_start_method() == expected, "the context of the default is not " + expected);
  check_none_is_fixed();
  check(mp::get_start_method() == expected, "the default is not " + expected);
  check(mp::get_start_method(true) == expected, "the default was not fixed by being asked for");
  try {
    mp::set_start_method(expected);
    check(false, "a method that is fixed is set without force");
  } catch (const mp::RuntimeError&) {
  }
}

template <class Question>
void check_refusal(const std::string& wrong, Question question, const char* what) {
  try {
    question();
    check(false, std::string(what) + " takes no notice of a wrong method");
  } catch (const mp::ValueError& error) {
    const std::string text = error.what();
    check(text.find("'" + wrong + "'") != std::string::npos, "the wrong method is not named: " + text);
    for (const auto& known : mp::get_all_start_methods())
      check(text.find("'" + known + "'") != std::string::npos, known + " is not offered: " + text);
  }
}

/// A name that is none is an error of whoever needs the default, and of nobody else.
void check_wrong(const std::string& wrong) {
  check_refusal(
      wrong, [] { static_cast<void>(mp::get_start_method()); }, "get_start_method()");
  check_refusal(
      wrong, [] { static_cast<void>(mp::get_context("")); }, "get_context(\"\")");
  check_refusal(
      wrong, [] { mp::Process([] {}).start(); }, "start()");
  check_none_is_fixed();
  check(mp::get_context("spawn").get_start_method() == "spawn", "a named context needs the default");
}

/// What was chosen wins over the variable, be that right or wrong, and needs no force for it.
void check_chosen(const std::string& chosen) {
  mp::set_start_method(chosen);
  check(mp::get_start_method() == chosen, "the variable wins over set_start_method(" + chosen + ")");
  check(mp::get_start_method(true) == chosen, "what was set is not fixed: " + chosen);
  check(mp::get_context("").get_start_method() == chosen, "a context does not follow " + chosen);
}

/// This program with that environment; what it checks is `what`.
int run(const std::string& what) {
  const auto expected = text_of(expected_variable);
  check_none_is_fixed();
  check_order();
  if (what == "default") check_default(expected);
  if (what == "wrong") check_wrong(text_of(variable));
  if (what == "chosen") check_chosen(expected);
  return failures;
}

/// `value`: of the variable; nullopt: it is not set.
void check_in_new_program(const std::string& what, const std::optional<std::string>& value,
                          const std::string& expected) {
  std::map<std::string, std::string> environment = {{check_variable, what}, {expected_variable, expected}};
  if (value) environment[variable] = *value;
  mp::SpawnProcess p(mp::ProcessOptions{.environment = environment}, [] {});
  p.start();
  p.join();
  check(p.exitcode() == 0, what + ", with the variable " + (value ? "'" + *value + "'" : "not set") +
                               ", expected " + expected + ": " + p.exit_reason());
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto what = text_of(check_variable); !what.empty()) return run(what);
  mp::freeze_support(argc, argv);
  if (own_program::emulated()) return own_program::skipped;
  const auto methods = mp::get_all_start_methods();
  check_in_new_program("default", std::nullopt, methods.front());
  check_in_new_program("default", "", methods.front());
  for (const auto& method : methods) check_in_new_program("default", method, method);
  for (const char* wrong : {"teleport", "Spawn", "spawn "}) {
    check_in_new_program("wrong", wrong, "");
    check_in_new_program("chosen", wrong, "spawn");
  }
  for (const auto& chosen : methods)
    for (const auto& named : methods) check_in_new_program("chosen", named, chosen);
  return mp::test_support::verdict(failures);
}
