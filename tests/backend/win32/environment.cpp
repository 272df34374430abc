// Blocks of environment variables as CreateProcessW takes them.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "environment.hpp"
#include "win32.hpp"

namespace multiprocessing::platform::win32 {
namespace {

using namespace std::string_literals;

std::wstring block_of(const std::vector<std::string>& environment) {
  const auto block = environment_block(environment);
  REQUIRE(block);
  return *block;
}

TEST_SUITE_BEGIN("backend.environment");

TEST_CASE("a block is sorted by name without regard to case and ends with two zeros") {
  CHECK(block_of({"b=2", "SystemRoot=C:\\windows", "A=1", "Z=", "c=x=y"}) ==
        L"A=1\0b=2\0c=x=y\0SystemRoot=C:\\windows\0Z=\0\0"s);
}

TEST_CASE("a hidden variable keeps its leading equals sign") {
  CHECK(block_of({"systemroot=x", "=C:=C:\\folder"}) == L"=C:=C:\\folder\0systemroot=x\0\0"s);
}

TEST_CASE("a block without SystemRoot gets this process's") {
  const std::wstring block = block_of({"ONLY=1"});
  CHECK(block.substr(0, 7) == L"ONLY=1\0"s);
  CHECK(block.find(L"SystemRoot=") == 7);
  CHECK(block_of({}).ends_with(L"\0\0"s));
}

TEST_CASE("an entry without a name or value sign is refused") {
  for (const std::string& entry : {""s, "NAME"s, "="s, "=C:"s, "A=\0B"s, "A=\xC3"s}) {
    const auto block = environment_block({entry});
    REQUIRE_FALSE(block);
    CHECK(block.error().condition == Condition::invalid_argument);
  }
}

TEST_CASE("the names of this process's variables hold the ones that are set") {
  REQUIRE(SetEnvironmentVariableW(L"MULTIPROCESSING_BACKEND_TEST", L"1"));
  const auto names = variable_names();
  CHECK(std::find(names.begin(), names.end(), L"MULTIPROCESSING_BACKEND_TEST") != names.end());
  CHECK(std::none_of(names.begin(), names.end(), [](const auto& name) { return name.front() == L'='; }));
  SetEnvironmentVariableW(L"MULTIPROCESSING_BACKEND_TEST", nullptr);
}

}  // namespace
}  // namespace multiprocessing::platform::win32

TEST_SUITE_END();
