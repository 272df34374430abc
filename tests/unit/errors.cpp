// The exceptions' family, and which condition of the platform becomes which of them.
#include <multiprocessing/errors.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "support/errors.hpp"

namespace mp = multiprocessing;
namespace platform = mp::platform;

namespace errors_test {

using platform::Condition;

template <class Standard, class... Ours>
constexpr bool family = ((std::is_base_of_v<Standard, Ours> && std::is_base_of_v<mp::Error, Ours> &&
                          std::is_copy_constructible_v<Ours>)&&...);

static_assert(
    family<std::runtime_error, mp::ProcessError, mp::RuntimeError, mp::EOFError, mp::Empty, mp::Full,
           mp::ShutDown, mp::BrokenBarrierError, mp::CancelledError, mp::InvalidStateError>);
static_assert(family<std::invalid_argument, mp::ValueError>);
static_assert(family<std::out_of_range, mp::IndexError, mp::KeyError>);
static_assert(family<std::logic_error, mp::AssertionError, mp::TypeError, mp::AttributeError>);
static_assert(family<std::system_error, mp::OSError, mp::ConnectionError>);
static_assert(family<mp::ProcessError, mp::BufferTooShort, mp::AuthenticationError, mp::TimeoutError,
                     mp::ProcessException, mp::RemoteError, mp::WorkerDied, mp::BrokenProcessPool,
                     mp::SerializationError>);
static_assert(family<mp::TimeoutError, mp::TimeOutException>);
static_assert(family<mp::ProcessException, mp::ProcessRaisedException, mp::ProcessExitedException>);
static_assert(family<mp::OSError, mp::ConnectionError>);

/// What throw_os_error() throws, as exactly Exception, and what it says.
template <class Exception>
std::string thrown(Condition condition, std::string_view object = {}) {
  try {
    mp::runtime::throw_os_error(platform::Error{condition, 0, "call"}, object);
  } catch (const std::exception& error) {
    CHECK(typeid(error) == typeid(Exception));
    return error.what();
  }
}

}  // namespace errors_test

TEST_SUITE("unit.errors") {
  using errors_test::Condition;
  using errors_test::thrown;

  TEST_CASE("mp::Error catches every one of them") {
    CHECK_THROWS_AS(throw mp::ValueError("x"), mp::Error);
    CHECK_THROWS_AS(throw mp::OSError(std::make_error_code(std::errc::io_error), "x"), mp::Error);
    CHECK_THROWS_AS(throw mp::TimeOutException("x"), mp::Error);
  }

  TEST_CASE("an OSError names the call and the object, and keeps the system's code") {
    try {
      mp::runtime::throw_os_error(platform::Error{Condition::not_found, 0, "posix_spawn"}, "child.exe");
    } catch (const mp::OSError& error) {
      const std::string what = error.what();
      CHECK(what.starts_with("posix_spawn 'child.exe': "));
      CHECK(what.ends_with(error.code().message()));
      CHECK(error.code() == std::errc::no_such_file_or_directory);
    }
    CHECK(thrown<mp::OSError>(Condition::out_of_handles).starts_with("call: "));
  }

  TEST_CASE("what the system refuses is an OSError, what we gave up is not") {
    for (const Condition condition :
         {Condition::not_found, Condition::permission_denied, Condition::already_exists,
          Condition::not_executable, Condition::would_block, Condition::out_of_handles,
          Condition::out_of_processes, Condition::out_of_memory, Condition::out_of_space, Condition::too_long,
          Condition::invalid_argument, Condition::gone, Condition::corrupt, Condition::not_supported,
          Condition::other})
      CHECK_FALSE(thrown<mp::OSError>(condition).empty());
    CHECK(thrown<mp::ConnectionError>(Condition::broken, "peer").starts_with("call 'peer': "));
    CHECK(thrown<mp::CancelledError>(Condition::cancelled) == "call: given up, a stop was requested");
    CHECK(thrown<mp::TimeoutError>(Condition::timed_out) == "call: the time is over");
  }

  TEST_CASE("value_or_throw hands out the value, also one that only moves") {
    CHECK(*mp::runtime::value_or_throw(platform::Result<std::unique_ptr<int>>(std::make_unique<int>(3))) ==
          3);
    CHECK_NOTHROW(mp::runtime::value_or_throw(platform::Status()));
    const platform::Error error{Condition::gone, 0, "call"};
    CHECK_THROWS_AS(mp::runtime::value_or_throw(platform::Result<int>(error)), mp::OSError);
    CHECK_THROWS_AS(mp::runtime::value_or_throw(platform::Status(error)), mp::OSError);
  }

  TEST_CASE("exceptions carry what their names promise, and copies share it") {
    const mp::BufferTooShort short_buffer("too short", {std::byte{1}, std::byte{2}});
    const mp::BufferTooShort copy = short_buffer;
    CHECK(copy.message().size() == 2);
    CHECK(&copy.message() == &short_buffer.message());

    const mp::RemoteError remote("text", "ns::Type", "message", "trace");
    CHECK(remote.type_name() == "ns::Type");
    CHECK(remote.message() == "message");
    CHECK(remote.trace() == "trace");

    const mp::WorkerDied died(42, -9, "signal 9 (SIGKILL)", 7);
    CHECK(died.what() == std::string("task 7: its worker, process 42, died: signal 9 (SIGKILL)"));
    CHECK(died.signal() == 9);
    CHECK(died.pid() == 42);
    CHECK(died.task() == 7);
    CHECK(died.reason() == "signal 9 (SIGKILL)");
    CHECK_FALSE(mp::WorkerDied(42, 3, "exit 3", 0).signal().has_value());

    const mp::ProcessExitedException exited("ended", 1, 42, -11, "SIGSEGV");
    CHECK(exited.exit_code() == -11);
    CHECK(exited.signal_name() == "SIGSEGV");
    CHECK(exited.error_index() == 1);
    CHECK(exited.error_pid() == 42);
  }
}
