// ctest: cost=12
// Exceptions that cross more than one process: they arrive as what they were where they were thrown first.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>

#include "test_support/abilities.hpp"
#include "test_support/start_methods.hpp"

namespace api_far_failures {

namespace mp = multiprocessing;
using mp::test_support::with_each_start_method;

struct Custom : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Thrown { domain_error, value_error, file_error, custom, number, nested, nested_custom };

[[noreturn]] void throw_nested(Thrown which) {
  try {
    throw std::logic_error("inner");
  } catch (...) {
    if (which == Thrown::nested) std::throw_with_nested(std::range_error("outer"));
    std::throw_with_nested(Custom("outer"));
  }
}

[[gnu::noinline]] void throw_far_away(Thrown which) {
  switch (which) {
    case Thrown::domain_error:
      throw std::domain_error("deep");
    case Thrown::value_error:
      throw mp::ValueError("not this value");
    case Thrown::file_error:
      throw std::filesystem::filesystem_error("copy", "from", "to",
                                              std::make_error_code(std::errc::is_a_directory));
    case Thrown::custom:
      throw Custom("quite own");
    case Thrown::number:
      throw 7;
    case Thrown::nested:
    case Thrown::nested_custom:
      throw_nested(which);
  }
}
/// Through so many processes more.
void throw_behind(int processes, Thrown which) {
  if (processes == 0) return throw_far_away(which);
  mp::call(throw_behind, processes - 1, which);
}
void throw_behind_a_pool(Thrown which) {
  mp::Pool pool(1);
  pool.apply(throw_far_away, which);
}
void catch_and_rethrow(Thrown which) {
  mp::Process p(mp::ProcessOptions{.standard_error = mp::Stdio::null}, throw_behind, 1, which);
  p.start();
  p.join();
  std::rethrow_exception(p.exception());
}
void throw_own_remote_error() { throw mp::RemoteError("in my words", "Elsewhere", "message", "  a line\n"); }

/// Where it was thrown first, and that nothing of ours is named.
void check_remote(const mp::RemoteError& remote, const std::string& type, const std::string& message) {
  CHECK_MESSAGE(remote.type_name().ends_with(type), remote.type_name());
  CHECK(remote.message() == message);
  CHECK(std::string(remote.what()) == remote.type_name() + ": " + message);
  if (mp::test_support::names_throws())
    CHECK_MESSAGE(remote.trace().find("throw_far_away") != std::string::npos, remote.trace());
}

/// `call` throws an E, in which a RemoteError is nested that says the same.
template <class E, class Call>
void check_known(Call call, const std::string& type, const std::string& message) {
  try {
    call();
    FAIL("it threw");
  } catch (const E& error) {
    CHECK(std::string(error.what()).find(message) != std::string::npos);
    try {
      std::rethrow_if_nested(error);
      FAIL("the trace is nested in it");
    } catch (const mp::RemoteError& remote) {
      check_remote(remote, type, error.what());
    }
  }
}

template <class Call>
void check_unknown(Call call, const std::string& type, const std::string& message) {
  try {
    call();
    FAIL("it threw");
  } catch (const mp::RemoteError& remote) {
    check_remote(remote, type, message);
  }
}

TEST_SUITE("api.far_failures") {
  TEST_CASE("a known type stays itself through two and three processes") {
    with_each_start_method([](mp::Context& context) {
      const auto call = [&](int further, Thrown which) {
        return [&context, further, which] { context.call(throw_behind, further, which); };
      };
      check_known<std::domain_error>(call(1, Thrown::domain_error), "std::domain_error", "deep");
      check_known<mp::ValueError>(call(2, Thrown::value_error), "multiprocessing::ValueError",
                                  "not this value");
      check_known<std::filesystem::filesystem_error>(
          [&] {
            try {
              context.call(throw_behind, 2, Thrown::file_error);
            } catch (const std::filesystem::filesystem_error& error) {
              CHECK(error.path1() == "from");
              CHECK(error.path2() == "to");
              CHECK(error.code() == std::errc::is_a_directory);
              throw;
            }
          },
          "filesystem_error", "copy");
    });
  }

  TEST_CASE("of an unknown type name, message and place are told through any number of processes") {
    with_each_start_method([](mp::Context& context) {
      for (int further : {1, 2})
        check_unknown([&] { context.call(throw_behind, further, Thrown::custom); }, "Custom", "quite own");
      try {
        context.call(throw_behind, 2, Thrown::number);
        FAIL("it threw");
      } catch (const mp::RemoteError& remote) {
        CHECK(remote.message().empty());
        CHECK(remote.type_name().find("RemoteError") == std::string::npos);
      }
      try {
        context.call(throw_own_remote_error);
        FAIL("it threw");
      } catch (const mp::RemoteError& remote) {
        CHECK(std::string(remote.what()) == "in my words");
        CHECK(remote.type_name() == "Elsewhere");
        CHECK(remote.message() == "message");
        CHECK(remote.trace() == "  a line\n");
      }
    });
  }

  TEST_CASE("pools hand on what their workers were handed") {
    with_each_start_method([](mp::Context& context) {
      check_known<std::domain_error>([&] { context.call(throw_behind_a_pool, Thrown::domain_error); },
                                     "std::domain_error", "deep");
      check_unknown([&] { context.call(throw_behind_a_pool, Thrown::custom); }, "Custom", "quite own");
      mp::ProcessPoolExecutor executor(1, {.context = context});
      check_known<mp::ValueError>([&] { executor.submit(throw_behind, 1, Thrown::value_error).result(); },
                                  "multiprocessing::ValueError", "not this value");
      check_unknown([&] { executor.submit(throw_behind, 1, Thrown::custom).result(); }, "Custom",
                    "quite own");
    });
  }

  TEST_CASE("a process says on standard error and to its parent what was thrown first, and where") {
    with_each_start_method([](mp::Context& context) {
      for (const auto& [which, type, message] :
           {std::tuple(Thrown::domain_error, "std::domain_error", "deep"),
            std::tuple(Thrown::custom, "Custom", "quite own")}) {
        auto p =
            context.Process(mp::ProcessOptions{.standard_error = mp::Stdio::pipe}, throw_behind, 1, which);
        p.start();
        const auto bytes = p.standard_error().read_all();
        p.join();
        const std::string printed(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        try {
          std::rethrow_exception(p.exception());
        } catch (const mp::ProcessRaisedException& raised) {
          CHECK_MESSAGE(raised.type_name().ends_with(type), raised.type_name());
          CHECK(raised.message() == message);
          for (const std::string& text : {printed, std::string(raised.what())}) {
            CHECK_MESSAGE(text.find(raised.type_name() + ": " + message) != std::string::npos, text);
            CHECK_MESSAGE(text.find("Arrived") == std::string::npos, text);
            if (mp::test_support::names_throws())
              CHECK_MESSAGE(text.find("throw_far_away") != std::string::npos, text);
          }
        }
      }
    });
  }

  TEST_CASE("what a process told of its end is told on as it was") {
    with_each_start_method([](mp::Context& context) {
      try {
        context.call(catch_and_rethrow, Thrown::domain_error);
        FAIL("it threw");
      } catch (const mp::ProcessRaisedException& raised) {
        CHECK(raised.type_name() == "std::domain_error");
        CHECK(raised.message() == "deep");
      }
    });
  }

  TEST_CASE("an exception with another one nested in it is what it was before") {
    with_each_start_method([](mp::Context& context) {
      check_known<std::range_error>([&] { context.call(throw_behind, 0, Thrown::nested); },
                                    "std::range_error", "outer");
      check_unknown([&] { context.call(throw_behind, 1, Thrown::nested_custom); }, "Custom", "outer");
    });
  }
}

}  // namespace api_far_failures
