// The views that functions take: bytes of every spelling, and paths.
#include <multiprocessing/bytes.hpp>
#include <multiprocessing/process_options.hpp>

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace mp = multiprocessing;

namespace bytes_test {

std::string text_of(mp::ByteView view) {
  return std::string(reinterpret_cast<const char*>(view.data()), view.size());
}
std::string path_of(mp::PathView path) { return path.string(); }

}  // namespace bytes_test

TEST_SUITE("unit.bytes") {
  using bytes_test::path_of;
  using bytes_test::text_of;

  TEST_CASE("strings are bytes, a literal without its NUL") {
    CHECK(text_of("abc") == "abc");
    CHECK(text_of(std::string("a\0b", 3)) == std::string("a\0b", 3));
    CHECK(text_of(std::string_view("xyz").substr(1)) == "yz");
    CHECK(text_of("") == "");
    CHECK(mp::ByteView().size() == 0);
  }

  TEST_CASE("containers and spans of std::byte and of unsigned char are bytes") {
    const std::vector<std::byte> bytes{std::byte{'h'}, std::byte{'i'}};
    const std::vector<unsigned char> unsigned_chars{'h', 'i'};
    const std::array<std::byte, 2> array{std::byte{'h'}, std::byte{'i'}};
    std::vector<std::byte> writable = bytes;
    CHECK(text_of(bytes) == "hi");
    CHECK(text_of(unsigned_chars) == "hi");
    CHECK(text_of(array) == "hi");
    CHECK(text_of(std::span<std::byte>(writable)) == "hi");
    CHECK(text_of(std::span(unsigned_chars)) == "hi");
    CHECK(mp::ByteView(bytes).data() == bytes.data());
    CHECK(mp::ByteView(bytes).span().size() == 2);
  }

  TEST_CASE("a path is taken from strings and from what has u8string()") {
    CHECK(path_of("a/b") == "a/b");
    CHECK(path_of(std::string("a/b")) == "a/b");
    CHECK(path_of(std::string_view("a/b")) == "a/b");
    CHECK(path_of(std::filesystem::path(u8"\u00e4/b")) == "\xc3\xa4/b");
  }

  TEST_CASE("a path that is kept is a string, made from all that a path is taken from") {
    const std::filesystem::path path(u8"\u00e4/b");
    mp::PathString kept;
    CHECK(kept.empty());
    kept = "a/b";
    CHECK(kept == "a/b");
    kept = std::string("c");
    const std::string& read = kept;
    CHECK(read == "c");
    kept = path;
    CHECK(kept + "/c" == "\xc3\xa4/b/c");
    CHECK(mp::ProcessOptions{.working_directory = path}.working_directory == "\xc3\xa4/b");
    CHECK(mp::ProcessOptions{.working_directory = "a"}.working_directory == "a");
    CHECK(mp::ProcessOptions{.working_directory = std::string_view("a")}.working_directory == "a");
    CHECK(mp::ProcessOptions{.working_directory = {}}.working_directory.empty());
    CHECK(path_of(kept) == kept);
  }
}
