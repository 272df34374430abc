// Results of the contract in tests: what must succeed, which condition came, and how doctest prints both.
#pragma once

#include <doctest/doctest.h>

#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>

#include "contract/error.hpp"
#include "contract/process.hpp"

namespace multiprocessing::test_support {

/// The condition that a call failed with; nullopt for success.
using Outcome = std::optional<platform::Condition>;
inline constexpr Outcome success = std::nullopt;

template <class T>
[[nodiscard]] Outcome outcome(const platform::Result<T>& result) {
  if (result.has_value()) return success;
  return result.error().condition;
}

/// Throws what doctest, or a child of a test, then reports.
[[noreturn]] inline void fail_with(const platform::Error& error, const std::source_location& where) {
  throw std::runtime_error(std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": " +
                           platform::name_of(error.condition) + ": " + error.to_string());
}

template <class T>
T must(platform::Result<T> result, std::source_location where = std::source_location::current()) {
  if (!result.has_value()) fail_with(result.error(), where);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace multiprocessing::test_support

namespace multiprocessing::platform {

/// Found by doctest, which otherwise prints enumerators as numbers.
inline doctest::String toString(Condition condition) { return name_of(condition); }

}  // namespace multiprocessing::platform

namespace doctest {

template <>
struct StringMaker<multiprocessing::test_support::Outcome> {
  static String convert(const multiprocessing::test_support::Outcome& outcome) {
    return outcome ? multiprocessing::platform::name_of(*outcome) : "success";
  }
};

template <>
struct StringMaker<multiprocessing::platform::ExitStatus> {
  static String convert(const multiprocessing::platform::ExitStatus& status) {
    return (multiprocessing::platform::describe(status) + " [kind " +
            std::to_string(static_cast<int>(status.kind)) + ", code " + std::to_string(status.code) + "]")
        .c_str();
  }
};

}  // namespace doctest
