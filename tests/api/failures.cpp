// What becomes of exceptions, exits and crashes in a child, seen from its parent.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <any>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <ios>
#include <regex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "test_support/abilities.hpp"
#include "test_support/start_methods.hpp"

namespace api_failures {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::with_each_start_method;

struct Bad : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "very bad"; }
};
struct Worse {
  int number = 3;
};

[[gnu::noinline]] void throw_out_of_range_here(int position) {
  if (position > 0) throw std::out_of_range("no element " + std::to_string(position));
}
void throw_runtime_error() { throw_out_of_range_here(12); }
void throw_own() { throw Bad(); }
void throw_no_exception() { throw Worse(); }
struct Mute : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return nullptr; }
};
void throw_mute() { throw Mute(); }
void throw_file_error() {
  throw std::filesystem::filesystem_error("copy", "from", std::make_error_code(std::errc::is_a_directory));
}
void throw_system_error() {
  throw std::system_error(std::make_error_code(std::errc::no_space_on_device), "disk");
}
void throw_value_error() { throw mp::ValueError("not this value"); }
[[gnu::noinline]] void crash_here(volatile int* nowhere) { *nowhere = 1; }
void crash() { crash_here(nullptr); }

/// Its name doubles with each step.
template <class First, class Second>
struct Both : std::exception {};
template <int Depth>
struct Doubled {
  using Type = Both<typename Doubled<Depth - 1>::Type, typename Doubled<Depth - 1>::Type>;
};
template <>
struct Doubled<0> {
  using Type = Bad;
};
using LongNamed = Doubled<15>::Type;
void throw_long_named() { throw LongNamed(); }

[[gnu::noinline]] int throw_from_below(int depth) {
  if (depth == 0) throw_out_of_range_here(12);
  return depth == 0 ? 0 : throw_from_below(depth - 1) + depth;
}
void throw_deep() { throw_from_below(500); }

std::string text_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const mp::ProcessRaisedException& raised) {
    return raised.what();
  }
}

int exit_code_of(mp::Context& context, void (*target)()) {
  auto p = context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::null}, target);
  p.start();
  p.join();
  return p.exitcode().value();
}

/// More than any channel holds while nobody reads.
void throw_much() { throw mp::BufferTooShort("short", std::vector<std::byte>(4 << 20)); }

TEST_SUITE("api.failures") {
  TEST_CASE("an exception ends the child with 1; its parent learns type, message and place") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::null}, throw_runtime_error);
      p.start();
      p.join();
      CHECK(p.exitcode() == 1);
      CHECK(p.exit_kind() == mp::ExitKind::exited);
      REQUIRE(p.exception());
      try {
        std::rethrow_exception(p.exception());
      } catch (const mp::ProcessRaisedException& raised) {
        CHECK(raised.type_name() == "std::out_of_range");
        CHECK(raised.message() == "no element 12");
        CHECK(raised.error_pid() == p.pid());
        const std::string text = raised.what();
        CHECK(text.find("std::out_of_range: no element 12") != std::string::npos);
        if (mp::test_support::names_throws())
          CHECK_MESSAGE(text.find("throw_out_of_range_here") != std::string::npos, text);
      }
    });
  }

  TEST_CASE("the child prints type, message and place on its standard error") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(mp::ProcessOptions{.name = "thrower", .standard_error = mp::Stdio::pipe},
                               throw_runtime_error);
      p.start();
      const auto bytes = p.standard_error().read_all();
      p.join();
      const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      CHECK(text.find("Process thrower (pid " + std::to_string(p.pid().value()) +
                      "): std::out_of_range: no element 12") != std::string::npos);
      if (mp::test_support::names_throws())
        CHECK_MESSAGE(text.find("throw_out_of_range_here") != std::string::npos, text);
    });
  }

  TEST_CASE("exceptions of one's own types, and what is no std::exception, are told by name") {
    with_each_start_method([](mp::Context& context) {
      auto own = context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::null}, throw_own);
      own.start();
      own.join();
      CHECK(text_of(own.exception()).find("Bad: very bad") != std::string::npos);
      auto none = context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::null}, throw_no_exception);
      none.start();
      none.join();
      CHECK(none.exitcode() == 1);
      REQUIRE(none.exception());
    });
  }

  TEST_CASE("exit, abort and _Exit in the child show as they are") {
    with_each_start_method([](mp::Context& context) {
      CHECK(exit_code_of(context, [] { std::exit(3); }) == 3);
      CHECK(exit_code_of(context, [] { std::_Exit(4); }) == 4);
      CHECK(exit_code_of(context, [] { mp::exit(5); }) == 5);
      CHECK(exit_code_of(context, [] { mp::exit(0); }) == 0);
      const int aborted = exit_code_of(context, [] { std::abort(); });
      if (mp::test_support::has_signals())
        CHECK(aborted == -SIGABRT);
      else
        CHECK(aborted != 0);
    });
  }

  TEST_CASE("an exception that holds megabytes does not keep its process from ending") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::null}, throw_much);
      p.start();
      mp::connection::wait({p.sentinel()});
      p.join();
      CHECK(p.exitcode() == 1);
      CHECK_THROWS_AS(std::rethrow_exception(p.exception()), mp::ProcessRaisedException);
    });
  }

  TEST_CASE("one whose type has a name of a megabyte does not either, nor one of many frames") {
    with_each_start_method([](mp::Context& context) {
      for (auto* const target : {throw_long_named, throw_deep}) {
        auto p = context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::null}, target);
        p.start();
        const bool ended = p.join(20s);
        if (!ended) p.kill();
        REQUIRE(ended);
        CHECK(p.exitcode() == 1);
        CHECK(text_of(p.exception()).size() > 100);
      }
      CHECK_THROWS_AS(context.call(throw_long_named), mp::RemoteError);
    });
  }

  TEST_CASE("a crash shows as its signal or exception, and a call names the place") {
    with_each_start_method([](mp::Context& context) {
      auto p = context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::null}, crash);
      p.start();
      p.join();
      if (mp::test_support::has_signals()) {
        CHECK(p.exitcode() == -SIGSEGV);
        CHECK(p.exit_kind() == mp::ExitKind::signalled);
        CHECK(p.exit_reason() == "signal 11 (SIGSEGV)");
      } else {
        CHECK(p.exit_kind() == mp::ExitKind::faulted);
        CHECK(p.exit_reason() == "access violation (0xC0000005)");
        CHECK(static_cast<unsigned>(p.exitcode().value()) == 0xC0000005u);
      }
      CHECK(p.exception() == nullptr);
      try {
        context.call(crash);
        FAIL("a crash has no result");
      } catch (const mp::ProcessExitedException& exited) {
        CHECK(exited.exit_code() == p.exitcode());
        if (mp::test_support::names_crashes())
          CHECK_MESSAGE(std::string(exited.what()).find("crash_here") != std::string::npos, exited.what());
      }
    });
  }

  TEST_CASE("exceptions that hold more than a message arrive with all of it") {
    with_each_start_method([](mp::Context& context) {
      try {
        context.call([] { throw mp::BufferTooShort("short", {std::byte{7}, std::byte{8}}); });
        FAIL("it threw");
      } catch (const mp::BufferTooShort& error) {
        CHECK(error.message() == std::vector{std::byte{7}, std::byte{8}});
        CHECK(std::string(error.what()) == "short");
      }
      try {
        context.call([] { throw mp::WorkerDied(12, -9, "signal 9", 3); });
        FAIL("it threw");
      } catch (const mp::WorkerDied& error) {
        CHECK(error.pid() == 12);
        CHECK(error.signal() == 9);
        CHECK(error.reason() == "signal 9");
        CHECK(error.task() == 3);
      }
      CHECK_THROWS_AS(context.call([] { throw mp::ProcessException("bad", 1, 2); }), mp::ProcessException);
      try {
        context.call([] { throw mp::ProcessExitedException("gone", 4, 5, -11, "SIGSEGV"); });
        FAIL("it threw");
      } catch (const mp::ProcessExitedException& error) {
        CHECK(error.error_index() == 4);
        CHECK(error.error_pid() == 5);
        CHECK(error.exit_code() == -11);
        CHECK(error.signal_name() == "SIGSEGV");
      }
      try {
        context.call([] {
          mp::Process p(mp::ProcessOptions{.standard_error = mp::Stdio::null}, throw_runtime_error);
          p.start();
          p.join();
          std::rethrow_exception(p.exception());
        });
        FAIL("it threw");
      } catch (const mp::ProcessRaisedException& error) {
        CHECK(error.type_name() == "std::out_of_range");
        CHECK(error.message() == "no element 12");
        CHECK(std::string(error.what()).find("no element 12") != std::string::npos);
      }
      try {
        context.call(throw_file_error);
      } catch (const std::filesystem::filesystem_error& error) {
        CHECK(error.path1() == "from");
      }
    });
  }

  TEST_CASE("the standard library's rarer exceptions arrive as themselves") {
    with_each_start_method([](mp::Context& context) {
      CHECK_THROWS_AS(context.call([] { throw std::future_error(std::future_errc::no_state); }),
                      std::future_error);
      CHECK_THROWS_AS(context.call([] { static_cast<void>(std::any_cast<int>(std::any("x"))); }),
                      std::bad_any_cast);
      CHECK_THROWS_AS(context.call([] { std::regex("("); }), std::regex_error);
      CHECK_THROWS_AS(context.call([] { std::regex(")"); }), std::regex_error);  // libc++ has a code for it
      try {
        context.call([] {
          std::ifstream none;
          none.exceptions(std::ios::failbit);
          none.open("/no/such/folder/at/all");
        });
        FAIL("it threw");
      } catch (const std::ios_base::failure& error) {
        CHECK(error.code() == std::io_errc::stream);
      }
    });
  }

  TEST_CASE("call rethrows with the exception's own type, or as RemoteError") {
    with_each_start_method([](mp::Context& context) {
      CHECK_THROWS_AS(context.call(throw_runtime_error), std::out_of_range);
      CHECK_THROWS_AS(context.call(throw_value_error), mp::ValueError);
      CHECK_THROWS_AS(context.call(throw_own), mp::RemoteError);
      CHECK_THROWS_AS(context.call(throw_no_exception), mp::RemoteError);
      CHECK_THROWS_AS(context.call(throw_mute), mp::RemoteError);
      CHECK_THROWS_AS(context.call(throw_file_error), std::filesystem::filesystem_error);
      try {
        context.call(throw_system_error);
      } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::no_space_on_device);
        CHECK(std::string(error.what()).find("disk") != std::string::npos);
      }
      try {
        context.call(throw_runtime_error);
      } catch (const std::out_of_range& error) {
        CHECK(std::string(error.what()) == "no element 12");
        try {
          std::rethrow_if_nested(error);
          FAIL("the worker's trace is nested in it");
        } catch (const mp::RemoteError& remote) {
          CHECK(remote.type_name() == "std::out_of_range");
          if (mp::test_support::names_throws())
            CHECK_MESSAGE(remote.trace().find("throw_out_of_range_here") != std::string::npos,
                          remote.trace());
        }
      }
    });
  }
}

}  // namespace api_failures
