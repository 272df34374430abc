// Arguments survive being joined into one line and taken apart again by the system.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "command_line.hpp"
#include "win32.hpp"

namespace multiprocessing::platform::win32 {
namespace {

std::vector<std::string> round_trip(const std::vector<std::string>& arguments) {
  const auto line = join_command_line(arguments);
  REQUIRE(line);
  const auto back = split_command_line(line->c_str());
  REQUIRE(back);
  return *back;
}

TEST_SUITE_BEGIN("backend.command_line");

TEST_CASE("quotes, backslashes, spaces and empty arguments come back as they were") {
  const std::vector<std::vector<std::string>> lists = {
      {"program", "", "a b", "\"", "a\"b", "\\", "\\\\", "a\\", "a b\\", "a b\\\\", "\\\"", "\\\\\"", "\"\""},
      {"C:\\Program Files\\x\\y.exe", "tab\there", "line\nbreak", "--key=value with space", "C:\\dir\\"},
      {"two words\\", "*", "?.txt", "%PATH%", "^&|<>()", "'single'", "\"C:\\dir with space\\\""},
      {"p", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\xD0\xBF\xD1\x80\xD0\xB8 \xD0\xB2"},
  };
  for (const auto& arguments : lists) CHECK(round_trip(arguments) == arguments);
}

TEST_CASE("what no command line can express is refused") {
  using List = std::vector<std::string>;
  CHECK(join_command_line(List{"a\"b"}).error().condition == Condition::invalid_argument);
  CHECK(join_command_line(List{"p", std::string("a\0b", 3)}).error().condition ==
        Condition::invalid_argument);
  CHECK(join_command_line(List{"p", "\xFF"}).error().condition == Condition::invalid_argument);
  CHECK(join_command_line(List{"p", std::string(40000, 'x')}).error().condition == Condition::too_long);
}

}  // namespace
}  // namespace multiprocessing::platform::win32

TEST_SUITE_END();
