// Every type that travels comes back as it was.
#include <multiprocessing/detail/serialize.hpp>
#include <multiprocessing/errors.hpp>

#include <doctest/doctest.h>

#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace multiprocessing::detail::archive_values_tests {
namespace {

template <class T>
T through_bytes(const T& value) {
  static_assert(sendable<T>);
  Encoder encoder;
  encode(encoder, value);
  CHECK(encoder.size() >= smallest_size<T>());
  Decoder decoder(encoder.bytes());
  T result = decode<T>(decoder);
  decoder.expect_end();
  return result;
}

template <class T>
void comes_back(const T& value) {
  CHECK(bool(through_bytes(value) == value));
}

enum class Colour : std::uint8_t { red, green };
enum Old { first, second };

struct Point {
  int x = 0;
  double y = 0;
  bool operator==(const Point&) const = default;
};

struct Everything {
  Point point;
  std::string name;
  std::vector<Point> path;
  std::map<std::string, std::vector<int>> groups;
  std::optional<Colour> colour;
  std::array<std::string, 2> pair;
  std::variant<int, std::string> choice;
  std::tuple<int, std::string> mixed;
  std::vector<bool> flags;
  bool on = false;
  bool operator==(const Everything&) const = default;
};

struct Node {
  int value = 0;
  std::vector<Node> children;
  bool operator==(const Node&) const = default;
};

struct Chain {
  int value = 0;
  std::unique_ptr<Chain> next;
};

struct Nothing {
  bool operator==(const Nothing&) const = default;
};

struct MoveOnly {
  std::unique_ptr<int> value;
  std::string name;
};

struct One {
  std::string only;
  bool operator==(const One&) const = default;
};

/// Leaves a variant without a value.
class Fragile {
 public:
  Fragile() = default;
  explicit Fragile(int problem) { throw problem; }
  Fragile(Fragile&&) noexcept(false) {}
  Fragile& operator=(Fragile&&) noexcept(false) { return *this; }
  template <class Archive>
  void serialize(Archive&) {}
};

struct Sorted {
  bool operator()(int a, int b) const { return a > b; }
};

}  // namespace

TEST_SUITE("unit.archive_values") {
  TEST_CASE("numbers and enums") {
    comes_back(42);
    comes_back(-1.5);
    comes_back('c');
    comes_back(true);
    comes_back(std::byte{200});
    comes_back(Colour::green);
    comes_back(second);
    comes_back(std::numeric_limits<std::int64_t>::min());
  }

  TEST_CASE("strings of every sort, empty and not, with any byte in them") {
    comes_back(std::string());
    comes_back(std::string("gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x98\x80"));
    comes_back(std::string("\0a\0", 3));
    comes_back(std::wstring(L"w\u20ac"));
    comes_back(std::u8string(u8"\u20ac"));
    comes_back(std::u16string(u"\u20ac"));
    comes_back(std::u32string(U"\U0001F600"));
  }

  TEST_CASE("sequences") {
    comes_back(std::vector<int>());
    comes_back(std::vector<int>{1, 2, 3});
    comes_back(std::vector<std::string>{"", "a", "bc"});
    comes_back(std::vector<bool>{true, false, true});
    comes_back(std::vector<std::byte>{std::byte{1}, std::byte{2}});
    comes_back(std::vector<Colour>{Colour::green, Colour::red});
    comes_back(std::vector<long double>{1.0L, 2.5L});
    comes_back(std::vector<std::vector<int>>{{}, {1}, {2, 3}});
    comes_back(std::deque<int>{4, 5});
    comes_back(std::deque<bool>{true, false});
    comes_back(std::list<std::string>{"x", "y"});
    comes_back(std::forward_list<int>{7, 8, 9});
    comes_back(std::array<int, 3>{1, 2, 3});
    comes_back(std::array<std::string, 2>{"a", "b"});
    comes_back(std::array<int, 0>{});
  }

  TEST_CASE("maps and sets") {
    comes_back(std::map<int, std::string>{{1, "one"}, {2, "two"}});
    comes_back(std::multimap<int, int>{{1, 1}, {1, 2}});
    comes_back(std::unordered_map<std::string, int>{{"a", 1}, {"b", 2}});
    comes_back(std::unordered_multimap<int, int>{{1, 1}, {1, 1}});
    comes_back(std::set<std::string>{"a", "b"});
    comes_back(std::set<int, Sorted>{3, 2, 1});
    comes_back(std::multiset<int>{1, 1, 2});
    comes_back(std::unordered_set<int>{1, 2, 3});
    comes_back(std::unordered_multiset<int>{1, 1});
  }

  TEST_CASE("pairs, tuples, optionals and variants") {
    comes_back(std::pair<int, std::string>{1, "one"});
    comes_back(std::tuple<>{});
    comes_back(std::tuple<int, std::string, double>{1, "two", 3.0});
    comes_back(std::optional<int>());
    comes_back(std::optional<std::string>("here"));
    comes_back(std::optional<std::optional<int>>(std::optional<int>()));
    comes_back(std::monostate());
    comes_back(std::variant<std::monostate, int, std::string>("text"));
    comes_back(std::variant<std::monostate, int, std::string>());
    comes_back(std::variant<int, int>(std::in_place_index<1>, 5));
  }

  TEST_CASE("unique_ptr, null and not") {
    CHECK(through_bytes(std::unique_ptr<int>()) == nullptr);
    CHECK(*through_bytes(std::make_unique<int>(3)) == 3);
    CHECK(**through_bytes(std::make_unique<std::unique_ptr<int>>(std::make_unique<int>(4))) == 4);
    auto chain = std::make_unique<Chain>(Chain{1, std::make_unique<Chain>(Chain{2, nullptr})});
    CHECK(through_bytes(chain)->next->value == 2);
    std::vector<std::unique_ptr<int>> several;
    several.push_back(std::make_unique<int>(9));
    several.push_back(nullptr);
    const auto back = through_bytes(several);
    CHECK(*back.at(0) == 9);
    CHECK(back.at(1) == nullptr);
  }

  TEST_CASE("times, complex numbers, bits and paths") {
    using namespace std::chrono_literals;
    comes_back(5s);
    comes_back(std::chrono::duration<double>(0.25));
    comes_back(std::chrono::system_clock::now());
    comes_back(std::complex<float>(1, -1));
    comes_back(std::bitset<11>("10000000101"));
    comes_back(std::bitset<0>());
    comes_back(std::filesystem::path(u8"a/\u20ac.txt"));
    comes_back(std::filesystem::path());
  }

  TEST_CASE("aggregates go field by field, whatever they hold") {
    comes_back(Point{1, 2.5});
    comes_back(Nothing());
    comes_back(One{"only"});
    Everything all{{3, 4},     "n",      {{1, 2}}, {{"g", {1}}}, Colour::red,
                   {"l", "r"}, "chosen", {8, "t"}, {true},       true};
    comes_back(all);
    comes_back(std::vector<Everything>{all, {}, all});
    const MoveOnly back = through_bytes(MoveOnly{std::make_unique<int>(5), "m"});
    CHECK(*back.value == 5);
    CHECK(back.name == "m");
  }

  TEST_CASE("a type may contain itself through a container") {
    comes_back(Node{1, {{2, {}}, {3, {{4, {}}}}}});
  }

  TEST_CASE("a large vector takes one copy") {
    std::vector<std::uint8_t> large(50 << 20, 7);
    large.back() = 8;
    comes_back(large);
  }

  TEST_CASE("reading replaces what an object held") {
    Encoder encoder;
    encode(encoder, std::vector<std::string>{"new"});
    encode(encoder, std::map<int, int>{{1, 1}});
    encode(encoder, std::optional<int>());
    Decoder decoder(encoder.bytes());
    std::vector<std::string> list{"old", "older"};
    decode_into(decoder, list);
    CHECK(list == std::vector<std::string>{"new"});
    std::map<int, int> map{{2, 2}};
    decode_into(decoder, map);
    CHECK(map == std::map<int, int>{{1, 1}});
    std::optional<int> maybe = 3;
    decode_into(decoder, maybe);
    CHECK(!maybe);
  }

  TEST_CASE("what could not be read is refused where it is written") {
    std::variant<int, Fragile> broken;
    CHECK_THROWS_AS(broken.emplace<1>(1), int);
    REQUIRE(broken.valueless_by_exception());
    Encoder encoder;
    CHECK_THROWS_AS(encode(encoder, broken), SerializationError);

    std::unique_ptr<Chain> chain;
    for (int i = 0; i < 201; ++i) chain = std::make_unique<Chain>(Chain{i, std::move(chain)});
    CHECK_THROWS_AS(encode(encoder, chain), SerializationError);

    encoder.clear();
    const std::vector<Nothing> nothings((1 << 20) + 1);
    CHECK_THROWS_AS(encode(encoder, nothings), SerializationError);
  }
}

}  // namespace multiprocessing::detail::archive_values_tests
