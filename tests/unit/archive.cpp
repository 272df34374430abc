// The byte core: what numbers look like, how a buffer grows, what a read past the end says.
#include <multiprocessing/detail/archive.hpp>
#include <multiprocessing/errors.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace multiprocessing::detail::archive_tests {
namespace {

std::vector<unsigned> bytes_of(const Encoder& encoder) {
  std::vector<unsigned> bytes;
  for (const std::byte byte : encoder.bytes()) bytes.push_back(std::to_integer<unsigned>(byte));
  return bytes;
}

template <class T>
void round_trip(T value) {
  Encoder encoder;
  encoder.number(value);
  CHECK(encoder.size() == number_size<T>);
  Decoder decoder(encoder.bytes());
  CHECK(decoder.number<T>() == value);
  CHECK(decoder.remaining() == 0);
}

std::string message_of(auto&& action) {
  try {
    action();
  } catch (const SerializationError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_SUITE("unit.archive") {
  TEST_CASE("numbers are little-endian and of fixed width") {
    Encoder encoder;
    encoder.number<std::uint32_t>(0x01020304);
    encoder.number<std::int16_t>(-2);
    encoder.number(true);
    encoder.number(1.0F);
    encoder.length(3);
    CHECK(bytes_of(encoder) ==
          std::vector<unsigned>{4, 3, 2, 1, 0xfe, 0xff, 1, 0, 0, 0x80, 0x3f, 3, 0, 0, 0, 0, 0, 0, 0});
  }

  TEST_CASE("every number comes back") {
    round_trip<char>('x');
    round_trip<signed char>(-128);
    round_trip<unsigned char>(255);
    round_trip<wchar_t>(L'\u20ac');
    round_trip<char8_t>(u8'x');
    round_trip<char16_t>(u'\u20ac');
    round_trip<char32_t>(U'\u20ac');
    round_trip<short>(-32768);
    round_trip<long>(std::numeric_limits<long>::min());
    round_trip<unsigned long long>(std::numeric_limits<unsigned long long>::max());
    round_trip<bool>(false);
    round_trip<float>(-0.5F);
    round_trip<double>(std::numeric_limits<double>::infinity());
    round_trip<long double>(1.0L / 3);
  }

  TEST_CASE("a buffer grows, can be emptied and can be moved") {
    Encoder encoder;
    CHECK(encoder.bytes().empty());
    for (std::uint64_t i = 0; i < 10'000; ++i) encoder.number(i);
    CHECK(encoder.size() == 80'000);
    Encoder moved = std::move(encoder);
    Decoder decoder(moved.bytes());
    for (std::uint64_t i = 0; i < 10'000; ++i) REQUIRE(decoder.number<std::uint64_t>() == i);
    moved.clear();
    CHECK(moved.size() == 0);
    moved.write(std::span<const std::byte>());
    CHECK(moved.size() == 0);
  }

  TEST_CASE("a read past the end names what was read and what is missing") {
    const std::array<std::byte, 3> three{};
    Decoder decoder(three);
    decoder.set_subject({"Widget", 2});
    CHECK(decoder.number<std::uint8_t>() == 0);
    CHECK(message_of([&] { decoder.number<std::uint32_t>(); }) ==
          "cannot read argument 2, Widget: 4 bytes wanted at byte 1, where 2 are left");
    CHECK(decoder.remaining() == 2);
    CHECK(message_of([&] { decoder.expect_end(); }) ==
          "cannot read argument 2, Widget: 2 bytes too many at byte 1");
  }

  TEST_CASE("a bool is 0 or 1") {
    const std::array<std::byte, 1> two{std::byte{2}};
    Decoder decoder(two);
    CHECK(message_of([&] { decoder.number<bool>(); }) == "cannot read a value: a bool of 2");
  }

  TEST_CASE("a length that the rest cannot hold is refused") {
    Encoder encoder;
    encoder.length(10);
    encoder.write("0123456789", 10);
    CHECK(Decoder(encoder.bytes()).length(1) == 10);
    CHECK_THROWS_AS((void)Decoder(encoder.bytes()).length(2), SerializationError);
    Encoder huge;
    huge.length(std::numeric_limits<std::size_t>::max());
    CHECK_THROWS_AS((void)Decoder(huge.bytes()).length(1), SerializationError);
    CHECK_THROWS_AS((void)Decoder(huge.bytes()).length(0), SerializationError);
  }

  TEST_CASE("foreign exceptions arrive nested in ours, and ours and bad_alloc as they are") {
    Encoder encoder;
    encoder.set_subject({"Widget", 1});
    const auto convert = [&](auto exception) {
      try {
        throw exception;
      } catch (...) {
        encoder.rethrow_as_ours();
      }
    };
    CHECK(message_of([&] { convert(std::runtime_error("no ink")); }) ==
          "cannot write argument 1, Widget: no ink");
    CHECK(message_of([&] { convert(7); }) == "cannot write argument 1, Widget: an unknown exception");
    CHECK_THROWS_AS(convert(ValueError("as it is")), ValueError);
    CHECK_THROWS_AS(convert(std::bad_alloc()), std::bad_alloc);
  }

  TEST_CASE("nesting has a limit and returns") {
    Encoder encoder;
    const auto dive = [&](auto&& self, unsigned levels) -> void {
      if (levels == 0) return;
      const Nested level(encoder);
      self(self, levels - 1);
    };
    for (int i = 0; i < 3; ++i) CHECK_NOTHROW(dive(dive, max_depth));
    CHECK_THROWS_AS(dive(dive, max_depth + 1), SerializationError);
    CHECK_NOTHROW(dive(dive, max_depth));
  }
}

}  // namespace multiprocessing::detail::archive_tests
