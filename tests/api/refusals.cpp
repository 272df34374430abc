// What is refused, and how it is said: options that make no sense, requests that come too early or too late,
// programs that are none or do not know what to run.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "test_support/start_methods.hpp"

namespace api_refusals {

namespace mp = multiprocessing;
using mp::test_support::with_each_start_method;
using Variables = std::map<std::string, std::string>;

void nothing() {}
int same(int x) { return x; }
std::string variable(std::string name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "(unset)" : value;
}
struct Unspeakable : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return fail(); }
  [[noreturn]] static const char* fail() { throw std::runtime_error("no words"); }
};

/// What start() says; empty if it starts.
template <class E>
std::string refusal(mp::Context& context, mp::ProcessOptions options) {
  auto p = context.Process(std::move(options), nothing);
  try {
    p.start();
  } catch (const E& error) {
    CHECK_FALSE(p.pid());
    return error.what();
  }
  p.join();
  return "";
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct OwnProgramAgain {
  ~OwnProgramAgain() { mp::set_executable(""); }
};

TEST_SUITE("api.refusals") {
  TEST_CASE("an environment with names or values that no system takes is a ValueError of start") {
    with_each_start_method([](mp::Context& context) {
      const std::string with_null("x\0y", 3);
      for (const auto& [variables, words] : std::vector<std::pair<Variables, std::string>>{
               {{{"A=B", "x"}}, "'A=B' contains '='"},
               {{{"", "x"}}, "is empty"},
               {{{with_null, "x"}}, "null"},
               {{{"NAME", with_null}}, "'NAME' has a value that contains a null"}}) {
        const auto text = refusal<mp::ValueError>(context, {.environment = variables});
        CHECK_MESSAGE(says(text, "environment"), text);
        CHECK_MESSAGE(says(text, words), text);
      }
    });
  }

  TEST_CASE("a working directory that is none is refused by name") {
    with_each_start_method([](mp::Context& context) {
      CHECK(says(refusal<mp::ValueError>(context, {.working_directory = std::string("a\0b", 3)}),
                 "working_directory"));
      const auto file = std::filesystem::current_path() / "mp_no_folder.txt";
      std::ofstream(file) << "text";
      for (const auto& [path, code] :
           {std::pair(file, std::errc::not_a_directory),
            std::pair(std::filesystem::current_path() / "mp_nowhere", std::errc::no_such_file_or_directory)})
        try {
          auto p = context.Process({.working_directory = path.string()}, nothing);
          p.start();
          FAIL("it started in a directory that there is not");
        } catch (const mp::OSError& error) {
          CHECK(error.code() == code);
          CHECK_MESSAGE(says(error.what(), path.string()), error.what());
        }
      std::filesystem::remove(file);
    });
  }

  TEST_CASE("an environment value need not be ASCII") {
    if (!mp::test_support::can_fork()) return;  // getenv() answers in the system's code page elsewhere
    with_each_start_method([](mp::Context& context) {
      const std::string value =
          "Gr\xc3\xbc\xc3\x9f"
          "e \xe6\x97\xa5";
      mp::CallOptions options;
      options.process.environment.emplace()["MP_TEST_VARIABLE"] = value;
      for (const char* name : {"PATH", "LD_LIBRARY_PATH"})
        if (const char* kept = std::getenv(name)) (*options.process.environment)[name] = kept;
      CHECK(context.call(options, variable, "MP_TEST_VARIABLE") == value);
    });
  }

  TEST_CASE("a stop request that was made before starts nothing") {
    with_each_start_method([](mp::Context& context) {
      mp::StopSource stop;
      stop.request_stop();
      auto p = context.Process(nothing);
      CHECK_THROWS_AS(p.start(stop.token()), mp::CancelledError);
      CHECK_FALSE(p.pid());
      CHECK_THROWS_AS(context.call(mp::CallOptions{.stop = stop.token()}, same, 1), mp::CancelledError);
      CHECK_THROWS_AS(context.call_async(mp::CallOptions{.stop = stop.token()}, same, 1), mp::CancelledError);
      CHECK(mp::active_children().empty());
      p.start();
      p.join();
      CHECK(p.exitcode() == 0);
    });
  }

  TEST_CASE("every member of a closed process throws ValueError") {
    mp::Process p(nothing);
    p.start();
    p.join();
    p.close();
    const std::vector<std::function<void()>> members = {
        [&] { p.run(); },
        [&] { p.start(); },
        [&] { p.join(); },
        [&] { p.join(mp::Duration(std::chrono::seconds(1))); },
        [&] { static_cast<void>(p.is_alive()); },
        [&] { p.interrupt(); },
        [&] { p.terminate(); },
        [&] { p.kill(); },
        [&] { p.stop(std::chrono::seconds(1)); },
        [&] { static_cast<void>(p.name()); },
        [&] { p.set_name("x"); },
        [&] { static_cast<void>(p.daemon()); },
        [&] { p.set_daemon(true); },
        [&] { static_cast<void>(p.pid()); },
        [&] { static_cast<void>(p.exitcode()); },
        [&] { static_cast<void>(p.exit_kind()); },
        [&] { static_cast<void>(p.exit_reason()); },
        [&] { static_cast<void>(p.exception()); },
        [&] { static_cast<void>(p.sentinel()); },
        [&] { static_cast<void>(p.authkey()); },
        [&] { p.set_authkey("key"); },
        [&] { static_cast<void>(p.standard_input()); },
        [&] { static_cast<void>(p.standard_output()); },
        [&] { static_cast<void>(p.standard_error()); },
    };
    for (std::size_t i = 0; i < members.size(); ++i) {
      INFO("member ", i);
      CHECK_THROWS_AS(members[i](), mp::ValueError);
    }
    CHECK_NOTHROW(p.close());
  }

  TEST_CASE("a program that cannot be executed is an OSError of start that names it") {
    if (std::getenv("MULTIPROCESSING_TEST_LAUNCHER") != nullptr) return;  // it executes the emulator
    const OwnProgramAgain restore;
    const auto file = std::filesystem::current_path() / "mp_no_program.txt";
    std::ofstream(file) << "text";
    mp::set_executable(file);
    mp::SpawnProcess p(nothing);
    try {
      p.start();
      FAIL("a text was executed");
    } catch (const mp::OSError& error) {
      CHECK_MESSAGE(says(error.what(), "mp_no_program.txt"), error.what());
    }
    CHECK_FALSE(p.pid());
    std::filesystem::remove(file);
  }

  TEST_CASE("an exception whose what() throws aborts the child, and nobody waits for more") {
    with_each_start_method([](mp::Context& context) {
      const mp::CallOptions options{.process = {.standard_error = mp::Stdio::null}};
      CHECK_THROWS_AS(context.call(options, [] { throw Unspeakable(); }), mp::ProcessExitedException);
    });
  }
}

}  // namespace api_refusals
