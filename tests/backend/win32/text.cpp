// UTF-8 and UTF-16: strict in both directions, lossy only where asked for. And the translation of codes.
#include <doctest/doctest.h>

#include <string>

#include "win32.hpp"

namespace multiprocessing::platform::win32 {
namespace {

TEST_SUITE_BEGIN("backend.text");

TEST_CASE("text goes to UTF-16 and back") {
  const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80";
  const auto wide = widen(text);
  REQUIRE(wide);
  CHECK(*wide == L"a\u00E4\u20AC\U0001F600");
  const auto back = narrow(*wide);
  REQUIRE(back);
  CHECK(*back == text);
  CHECK(widen("")->empty());
  CHECK(narrow(L"")->empty());
}

TEST_CASE("malformed text is refused, and repaired only where asked for") {
  for (const std::string& text : {std::string("\xFF"), std::string("\xC3"), std::string("\xED\xA0\x80"),
                                  std::string("\xC0\x80"), std::string("a\0b", 3)}) {
    const auto wide = widen(text);
    REQUIRE_FALSE(wide);
    CHECK(wide.error().condition == Condition::invalid_argument);
  }
  const std::wstring lone_surrogate = {L'a', static_cast<wchar_t>(0xD800), L'b'};
  REQUIRE_FALSE(narrow(lone_surrogate));
  CHECK(narrow(lone_surrogate).error().condition == Condition::invalid_argument);
  CHECK(narrow_lossy(lone_surrogate) ==
        "a\xEF\xBF\xBD"
        "b");
}

TEST_CASE("a long absolute path gets the prefix that lifts the limit") {
  const std::string folders(300, 'x');
  CHECK(*widen_path("C:/" + folders) == L"\\\\?\\C:\\" + std::wstring(300, L'x'));
  CHECK(*widen_path(folders) == std::wstring(300, L'x'));
  CHECK(*widen_path("C:/short") == L"C:/short");
}

TEST_CASE("codes of the system become conditions and keep their number") {
  const auto error = error_of(ERROR_BROKEN_PIPE, "ReadFile");
  CHECK(error.condition == Condition::broken);
  CHECK(error.native == ERROR_BROKEN_PIPE);
  CHECK(std::string(error.call) == "ReadFile");
  CHECK(condition_of(ERROR_NO_DATA) == Condition::broken);
  CHECK(condition_of(ERROR_FILE_NOT_FOUND) == Condition::not_found);
  CHECK(condition_of(ERROR_DIRECTORY) == Condition::not_found);
  CHECK(condition_of(ERROR_BAD_EXE_FORMAT) == Condition::not_executable);
  CHECK(condition_of(ERROR_COMMITMENT_LIMIT) == Condition::out_of_memory);
  CHECK(condition_of(ERROR_FILENAME_EXCED_RANGE) == Condition::too_long);
  CHECK(condition_of(ERROR_INVALID_HANDLE) == Condition::invalid_argument);
  CHECK(condition_of(ERROR_SUCCESS) == Condition::other);
}

}  // namespace
}  // namespace multiprocessing::platform::win32

TEST_SUITE_END();
