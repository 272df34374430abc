// Results and errors of the platform layer, without any system in them.
#include "contract/error.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "test_support/results.hpp"

namespace multiprocessing::platform::error_unit_tests {
namespace {

Status refuse() { return Error{Condition::gone, 0, "refuse"}; }
Result<std::unique_ptr<int>> make(int value) { return std::make_unique<int>(value); }

}  // namespace

TEST_SUITE("unit.error") {
  TEST_CASE("each condition has a name and a code of its own") {
    std::set<std::string> names;
    std::set<int> codes;
    const int count = static_cast<int>(Condition::other) + 1;
    for (int value = 0; value < count; ++value) {
      const auto condition = static_cast<Condition>(value);
      names.insert(name_of(condition));
      const auto code = Error{condition, 0, "call"}.code();
      CHECK(code.category() == std::generic_category());
      codes.insert(code.value());
    }
    CHECK(names.size() == static_cast<std::size_t>(count));
    CHECK(names.count("") == 0);
    CHECK(codes.count(0) == 0);
    CHECK(std::string(name_of(Condition::not_found)) == "not_found");
    CHECK(std::string(name_of(Condition::other)) == "other");
  }

  TEST_CASE("a failure that is not the system's has the nearest generic code") {
    CHECK(Error{Condition::timed_out, 0, "wait"}.code() == std::errc::timed_out);
    CHECK(Error{Condition::broken, 0, "write"}.code() == std::errc::broken_pipe);
    CHECK(Error{Condition::permission_denied, 0, "open"}.code() == std::errc::permission_denied);
  }

  TEST_CASE("a failure of the system keeps the system's code") {
    const Error error{Condition::not_found, 2, "open"};  // 2 is "no such file" everywhere
    CHECK(error.code().category() == std::system_category());
    CHECK(error.code().value() == 2);
    CHECK(error.code() == std::errc::no_such_file_or_directory);
    CHECK(error.to_string() == "open: " + std::system_category().message(2));
  }

  TEST_CASE("a status is success or an error") {
    const Status good;
    CHECK(good.has_value());
    CHECK(static_cast<bool>(good));
    const Status bad = refuse();
    CHECK_FALSE(bad.has_value());
    CHECK_FALSE(static_cast<bool>(bad));
    CHECK(bad.error().condition == Condition::gone);
    CHECK(std::string(bad.error().call) == "refuse");
  }

  TEST_CASE("a result holds a value, which may only be moved") {
    auto result = make(5);
    REQUIRE(result.has_value());
    CHECK(**result == 5);
    CHECK(*result->get() == 5);
    const auto taken = *std::move(result);
    CHECK(*taken == 5);
  }

  TEST_CASE("a result of the same type as an error's parts is not mistaken") {
    const Result<int> value(3);
    CHECK(*value == 3);
    const Result<int> failure(Error{Condition::broken, 3, "x"});
    CHECK_FALSE(failure.has_value());
    CHECK(failure.error().native == 3);
  }
}

}  // namespace multiprocessing::platform::error_unit_tests
