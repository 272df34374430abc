// Fingerprints tell types apart by what they are made of, and by nothing else.
#include <multiprocessing/detail/fingerprint.hpp>
#include <multiprocessing/detail/serialize.hpp>

#include <doctest/doctest.h>

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <variant>
#include <vector>

namespace multiprocessing::detail::fingerprint_tests {
namespace {

template <class A, class B>
constexpr bool alike = fingerprint<A>() == fingerprint<B>();

enum class Small : std::uint8_t { a };
struct One {
  int a;
  std::string b;
};
struct Two {
  std::int32_t other_name;
  std::string entirely;
};
struct Swapped {
  std::string b;
  int a;
};
struct Longer {
  int a;
  std::string b;
  int c;
};
struct Tree {
  int value;
  std::vector<Tree> children;
};
struct SameTree {
  int number;
  std::vector<SameTree> below;
};
struct OtherTree {
  int value;
  std::vector<std::vector<OtherTree>> children;
};
/// A knot of two: the way back goes to the outer one or to the inner one.
struct Inner;
struct Outer {
  std::vector<Inner> inner;
};
struct Inner {
  std::vector<Outer> back;
};
struct InnerToItself;
struct OuterOfThat {
  std::vector<InnerToItself> inner;
};
struct InnerToItself {
  std::vector<InnerToItself> back;
};
struct Own {
  template <class Archive>
  void serialize(Archive&) {}
};
struct OtherOwn {
  int value;
  template <class Archive>
  void serialize(Archive&) {}
};

static_assert(fingerprint<One>() != 0, "computed by the compiler");

}  // namespace

TEST_SUITE("unit.fingerprint") {
  TEST_CASE("numbers differ by width, sign and nature, not by name") {
    CHECK(alike<std::int64_t, long long>);
    CHECK(alike<Small, std::uint8_t>);
    CHECK(!alike<std::int32_t, std::int64_t>);
    CHECK(!alike<std::int32_t, std::uint32_t>);
    CHECK(!alike<std::int32_t, float>);
    CHECK(!alike<float, double>);
    CHECK(!alike<bool, std::uint8_t>);
    CHECK(!alike<char, std::int8_t>);
    CHECK(!alike<char, std::uint8_t>);
  }

  TEST_CASE("what has the same bytes has the same fingerprint") {
    CHECK(alike<std::vector<int>, std::list<int>>);
    CHECK(alike<std::map<int, int>, std::unordered_map<int, int>>);
    CHECK(alike<One, Two>);
    CHECK(alike<One, std::tuple<int, std::string>>);
    CHECK(alike<std::optional<int>, std::unique_ptr<int>>);
    CHECK(alike<Tree, SameTree>);
  }

  TEST_CASE("containers differ by kind, element and size") {
    CHECK(!alike<std::vector<int>, std::vector<unsigned>>);
    CHECK(!alike<std::vector<int>, std::set<int>>);
    CHECK(!alike<std::vector<int>, std::array<int, 3>>);
    CHECK(!alike<std::array<int, 2>, std::array<int, 3>>);
    CHECK(!alike<std::string, std::vector<char>>);
    CHECK(!alike<std::string, std::u16string>);
    CHECK(!alike<std::map<int, std::string>, std::map<std::string, int>>);
    CHECK(!alike<std::optional<int>, int>);
    CHECK(!alike<std::variant<int, bool>, std::variant<bool, int>>);
    CHECK(!alike<std::chrono::seconds, std::chrono::milliseconds>);
    CHECK(!alike<std::bitset<8>, std::bitset<9>>);
    CHECK(!alike<std::tuple<std::tuple<int>, int>, std::tuple<std::tuple<int, int>>>);
  }

  TEST_CASE("structs differ by their fields and the order of them") {
    CHECK(!alike<One, Swapped>);
    CHECK(!alike<One, Longer>);
    CHECK(!alike<One, std::vector<One>>);
  }

  TEST_CASE("types that contain themselves have an end, and differ by where the way back goes") {
    CHECK(!alike<Tree, OtherTree>);
    CHECK(!alike<Outer, OuterOfThat>);
  }

  TEST_CASE("a type with its own serialize() is opaque") {
    CHECK(alike<Own, OtherOwn>);
    CHECK(!alike<Own, std::tuple<>>);
  }

  TEST_CASE("the signature of a call is made of all that travels") {
    CHECK(call_signature<void, int, bool>() != call_signature<void, bool, int>());
    CHECK(call_signature<void, int>() != call_signature<int, int>());
    CHECK(call_signature<void>() != call_signature<void, int>());
    CHECK(call_signature<int, std::string>() == call_signature<std::int32_t, std::string>());
  }

  TEST_CASE("the numbers themselves never change") {
    CHECK(fingerprint<std::int32_t>() == 15350796112628712283U);
    CHECK(fingerprint<std::vector<std::string>>() == 3593939864371593518U);
    CHECK(fingerprint<Tree>() == 5509777949053250638U);
  }
}

}  // namespace multiprocessing::detail::fingerprint_tests
