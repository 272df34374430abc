// ProcessOptions: streams, environment, working directory, priority; and the streams' parent ends.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "test_support/abilities.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/start_methods.hpp"

namespace api_options {

namespace mp = multiprocessing;
using mp::test_support::LeakCheck;
using mp::test_support::with_each_start_method;

void copy_input_to_output() {
  std::string line;
  while (std::getline(std::cin, line)) std::cout << "got " << line << '\n';
}
void write_to_both() {
  std::cout << "out" << std::flush;
  std::cerr << "err" << std::flush;
}
void read_until_end() {
  int count = 0;
  while (std::cin.get() != std::char_traits<char>::eof()) ++count;
  mp::exit(count == 0 ? 0 : 1);
}
std::string variable(std::string name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "(unset)" : value;
}
constexpr std::uint64_t mebibyte = 1024 * 1024;

/// Takes so much memory, and uses it.
std::uint64_t takes(std::uint64_t size) {
  const std::vector<char> memory(size, 'x');
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < memory.size(); i += 4096) sum += memory[i] == 'x' ? 1 : 0;
  return sum;
}
std::size_t length(const std::string& argument) { return argument.size(); }

std::string directory() { return std::filesystem::current_path().filename().string(); }

std::string text(const std::vector<std::byte>& bytes) {
  std::string result(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::erase(result, '\r');
  return result;
}

TEST_SUITE("api.options") {
  TEST_CASE_FIXTURE(LeakCheck, "input and output through pipes") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(
          mp::ProcessOptions{.standard_input = mp::Stdio::pipe, .standard_output = mp::Stdio::pipe},
          copy_input_to_output);
      p.start();
      p.standard_input().write("first\n");
      p.standard_input().write(std::string("second\n"));
      p.standard_input().close();
      p.standard_input().close();
      CHECK_THROWS_AS(p.standard_input().write("more"), mp::ValueError);
      CHECK(text(p.standard_output().read_all()) == "got first\ngot second\n");
      CHECK_THROWS_AS(p.standard_output().write("x"), mp::ValueError);
      CHECK_THROWS_AS(static_cast<void>(p.standard_error()), mp::ValueError);
      p.join();
      CHECK(p.exitcode() == 0);
    });
  }

  TEST_CASE("output and error are two streams") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(
          mp::ProcessOptions{.standard_output = mp::Stdio::pipe, .standard_error = mp::Stdio::pipe},
          write_to_both);
      p.start();
      CHECK(text(p.standard_output().read_all()) == "out");
      CHECK(text(p.standard_error().read_all()) == "err");
      p.join();
    });
  }

  TEST_CASE("null is empty to read and swallows what is written") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(
          mp::ProcessOptions{.standard_input = mp::Stdio::null, .standard_output = mp::Stdio::null},
          read_until_end);
      p.start();
      p.join();
      CHECK(p.exitcode() == 0);
    });
  }

  TEST_CASE("reading gives up when the token is set, and an empty buffer is refused") {
    mp::Process p(mp::ProcessOptions{.standard_input = mp::Stdio::pipe, .standard_output = mp::Stdio::pipe},
                  copy_input_to_output);
    p.start();
    mp::StopSource source;
    source.request_stop();
    std::vector<std::byte> buffer(8);
    CHECK_THROWS_AS(p.standard_output().read_some(buffer, source.token()), mp::CancelledError);
    CHECK_THROWS_AS(p.standard_output().read_some({}), mp::ValueError);
    CHECK(mp::NativeHandle() != p.standard_output().native());
    p.standard_input().close();
    p.join();
  }

  TEST_CASE("the environment is replaced as a whole") {
    with_each_start_method([](mp::Context& context) {
      mp::set_start_method(context.get_start_method(), true);
      mp::CallOptions options;
      // ASCII, because getenv() need not answer in UTF-8: on Windows it takes the code page.
      options.process.environment.emplace()["MP_TEST_VARIABLE"] = "value with = and space";
      for (const char* name : {"SystemRoot", "PATH", "WINEPREFIX", "LD_LIBRARY_PATH"})
        if (const char* value = std::getenv(name)) (*options.process.environment)[name] = value;
      CHECK(mp::call(options, variable, "MP_TEST_VARIABLE") == "value with = and space");
      CHECK(mp::call(options, variable, "HOME") == "(unset)");
      CHECK(mp::call(variable, "MP_TEST_VARIABLE") == "(unset)");
    });
    mp::set_start_method(mp::get_all_start_methods().front(), true);
  }

  TEST_CASE("a limit of memory lets through what is below, and makes what is above fail") {
    if (!mp::test_support::limits_memory()) return mp::test_support::skip("nothing limits memory here");
    with_each_start_method([](mp::Context& context) {
      mp::CallOptions options;
      options.process.memory_limit = 512 * mebibyte;
      CHECK(context.call(options, takes, 64 * mebibyte) == 64 * mebibyte / 4096);
      CHECK_THROWS_AS(context.call(options, takes, 1024 * mebibyte), std::bad_alloc);
      CHECK(context.call(takes, 600 * mebibyte) == 600 * mebibyte / 4096);
    });
  }

  TEST_CASE("a limit that is too low for the arguments ends the child, and says why") {
    if (!mp::test_support::limits_memory()) return mp::test_support::skip("nothing limits memory here");
    mp::CallOptions options;
    options.process.memory_limit = 16 * mebibyte;
    CHECK_THROWS_AS(mp::get_context("spawn").call(options, length, std::string(64 * mebibyte, 'x')),
                    std::bad_alloc);
    for (const std::uint64_t nearly_nothing : {std::uint64_t{1}, 64 * mebibyte / 1024}) {
      options.process.memory_limit = nearly_nothing;
      with_each_start_method([&](mp::Context& context) {
        // What the child has already may be enough for so little; what matters is that it ends.
        auto p = context.Process(options.process, takes, 64 * mebibyte);
        p.start();
        p.join();
        INFO(p.exit_reason());
        CHECK(p.exitcode() == 1);
      });
    }
    options.process.memory_limit = 0;
    CHECK_THROWS_AS(mp::call(options, takes, mebibyte), mp::ValueError);
  }

  TEST_CASE("the working directory is the child's own; one that is not there is an OSError of start") {
    with_each_start_method([](mp::Context& context) {
      mp::set_start_method(context.get_start_method(), true);
      const auto here = std::filesystem::current_path();
      const auto folder = here / "mp_test_directory";
      std::filesystem::create_directory(folder);
      mp::CallOptions options;
      options.process.working_directory = folder;
      CHECK(mp::call(options, directory) == "mp_test_directory");
      CHECK(std::filesystem::current_path() == here);
      options.process.working_directory = (here / "mp_no_such_directory").string();
      CHECK_THROWS_AS(mp::call(options, directory), mp::OSError);
      // Not at once: a console that was made for the child may hold its directory an instant longer.
      std::error_code held;
      CHECK(mp::test_support::eventually([&] { return std::filesystem::remove(folder, held); }));
    });
    mp::set_start_method(mp::get_all_start_methods().front(), true);
  }

  TEST_CASE("a lower priority is taken") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(mp::ProcessOptions{.priority = mp::Priority::background}, [] {});
      p.start();
      p.join();
      CHECK(p.exitcode() == 0);
    });
  }
}

}  // namespace api_options
