// Which types may travel, and which type is blamed when one may not.
#include <multiprocessing/detail/sendable.hpp>
#include <multiprocessing/detail/serialize.hpp>

#include <doctest/doctest.h>

// Their functions for std::shared_ptr and the like must make no difference.
#include <cereal/types/memory.hpp>
#include <cereal/types/polymorphic.hpp>
#include <cereal/types/stack.hpp>
#include <cereal/types/string.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stack>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace multiprocessing::detail::sendable_tests {
namespace {

template <class T, class Blamed, Reason reason>
constexpr bool blames = std::is_same_v<Offender<T>, Blamed>&& reason_of<Blamed>() == reason;

struct Empty {};
struct Plain {
  int a;
  std::string b;
  std::optional<double> c;
};
struct Nested {
  Plain plain;
  std::vector<Plain> list;
  std::map<std::string, Plain> map;
};
struct Tree {
  int value;
  std::vector<Tree> children;
  std::map<std::string, Tree> named;
  std::unique_ptr<Tree> other;
};
struct TreeWithPointer {
  std::vector<TreeWithPointer> children;
  int* blamed;
};

// Every sort of field in the first place, where brace elision and greedy constructors would matter.
template <class First>
struct Holds {
  First first;
  int second;
};

struct ArrayOnly {
  int a[3];
};
struct ArrayFirst {
  char name[16];
  int x;
};
struct ArrayLast {
  int x;
  int a[2];
};
struct ArrayOfOne {
  int a[1];
};
struct ArrayOfStructs {
  std::string s;
  Plain a[2];
  int x;
};
struct ArrayMiddle {
  int x;
  double a[2][2];
  std::string s;
};

struct Base {
  int a;
};
struct Derived : Base {
  int b;
};
struct EmptyBase {};
struct DerivedFromEmpty : EmptyBase {
  int b;
};
struct Reference {
  int& r;
};
struct ConstReference {
  const int& r;
  int x;
};
struct Constant {
  const int x;
  int y;
};
struct MoveOnly {
  std::unique_ptr<int> p;
  std::string s;
  std::vector<std::unique_ptr<int>> v;
};
struct Defaults {
  int a = 1;
  std::string b = "b";
  std::vector<int> c = {1, 2};
};
class Closed {
 public:
  explicit Closed(int value) : value_(value) {}
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
};
class OwnWithoutDefault {
 public:
  explicit OwnWithoutDefault(int value) : value_(value) {}
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value_);
  }

 private:
  int value_;
};
struct Shape {
  virtual ~Shape() = default;
  template <class Archive>
  void serialize(Archive&) {}
};
struct Circle final : Shape {};
class Handle : public Shareable {};
class Line : public BearsHandle {};
struct Node {
  std::vector<Node> next;
  std::map<int, std::optional<Line>> lines;
};
struct KnowsItself {
  Line line;
  template <class Archive>
  void serialize(Archive&) {}
};
class Vector : public std::vector<int> {};

using Captureless = decltype([](int) {});

}  // namespace

TEST_SUITE("unit.sendable") {
  TEST_CASE("plain types, containers and what is made of them travel") {
    CHECK(sendable<int>);
    CHECK(sendable<std::byte>);
    CHECK(sendable<long double>);
    CHECK(sendable<std::string>);
    CHECK(sendable<Empty>);
    CHECK(sendable<Plain>);
    CHECK(sendable<Nested>);
    CHECK(sendable<Tree>);
    CHECK(sendable<MoveOnly>);
    CHECK(sendable<Defaults>);
    CHECK(sendable<std::monostate>);
    CHECK(sendable<std::less<>>);
    CHECK(sendable<std::filesystem::path>);
    CHECK(sendable<std::chrono::steady_clock::time_point>);
    CHECK(sendable<std::vector<std::pair<int, std::unique_ptr<Plain>>>>);
    CHECK(sendable<std::unique_ptr<Circle>>);
    CHECK(sendable<Handle>);
    CHECK(sendable<Captureless>);
  }

  TEST_CASE("a handle is found wherever it travels, but in what a class writes itself") {
    CHECK(std::is_same_v<HandleWithin<Line>, Line>);
    CHECK(std::is_same_v<HandleWithin<Node>, Line>);
    CHECK(std::is_same_v<HandleWithin<std::variant<int, std::unique_ptr<Line>>>, Line>);
    CHECK(std::is_same_v<HandleWithin<std::vector<std::array<std::pair<int, Line>, 2>>>, Line>);
    CHECK(std::is_void_v<HandleWithin<Handle>>);
    CHECK(std::is_void_v<HandleWithin<Tree>>);
    CHECK(std::is_void_v<HandleWithin<KnowsItself>>);
  }

  TEST_CASE("a field of any sort may come first") {
    CHECK(sendable<Holds<Plain>>);
    CHECK(sendable<Holds<Empty>>);
    CHECK(sendable<Holds<std::string>>);
    CHECK(sendable<Holds<std::array<std::string, 2>>>);
    CHECK(sendable<Holds<std::array<int, 0>>>);
    CHECK(sendable<Holds<std::optional<std::string>>>);
    CHECK(sendable<Holds<std::variant<int, std::string>>>);
    CHECK(sendable<Holds<std::variant<std::monostate, std::vector<int>>>>);
    CHECK(sendable<Holds<std::tuple<int, std::string>>>);
    CHECK(sendable<Holds<std::pair<int, std::string>>>);
    CHECK(sendable<Holds<std::chrono::milliseconds>>);
    CHECK(sendable<Holds<std::filesystem::path>>);
    CHECK(sendable<Holds<std::deque<bool>>>);
    CHECK(sendable<Holds<std::unordered_map<int, std::string>>>);
    CHECK(sendable<Holds<std::unique_ptr<int>>>);
    CHECK(sendable<Holds<Holds<std::list<int>>>>);
  }

  TEST_CASE("fields are counted and named right") {
    CHECK(field_count<Empty> == 0);
    CHECK(field_count<Plain> == 3);
    CHECK(field_count<Nested> == 3);
    CHECK(field_count<MoveOnly> == 3);
    CHECK(field_count<Holds<std::array<std::string, 2>>> == 2);
    CHECK(std::is_same_v<Fields<Plain>, TypeList<int, std::string, std::optional<double>>>);
    CHECK(std::is_same_v<Fields<Constant>, TypeList<const int, int>>);
  }

  TEST_CASE("pointers of any sort are refused, however deep they lie") {
    CHECK(blames<int*, int*, Reason::pointer>);
    CHECK(blames<const char*, const char*, Reason::pointer>);
    CHECK(blames<std::nullptr_t, std::nullptr_t, Reason::pointer>);
    CHECK(blames<std::vector<int*>, int*, Reason::pointer>);
    CHECK(blames<std::map<int, std::vector<int*>>, int*, Reason::pointer>);
    CHECK(blames<std::variant<int, int*>, int*, Reason::pointer>);
    CHECK(blames<Holds<const char*>, const char*, Reason::pointer>);
    CHECK(blames<TreeWithPointer, int*, Reason::pointer>);
    CHECK(blames<void (*)(int), void (*)(int), Reason::function_pointer>);
    CHECK(blames<int Plain::*, int Plain::*, Reason::function_pointer>);
    CHECK(blames<std::shared_ptr<int>, std::shared_ptr<int>, Reason::shared_pointer>);
    CHECK(blames<Holds<std::weak_ptr<int>>, std::weak_ptr<int>, Reason::shared_pointer>);
    CHECK(blames<std::vector<std::shared_ptr<int>>, std::shared_ptr<int>, Reason::shared_pointer>);
    CHECK(blames<std::unique_ptr<int[]>, std::unique_ptr<int[]>, Reason::other>);
    CHECK(blames<std::unique_ptr<Shape>, std::unique_ptr<Shape>, Reason::polymorphic>);
  }

  TEST_CASE("C arrays are refused, in aggregates too") {
    CHECK(blames<int[3], int[3], Reason::array>);
    CHECK(blames<ArrayOnly, ArrayOnly, Reason::array>);
    CHECK(blames<ArrayFirst, ArrayFirst, Reason::array>);
    CHECK(blames<ArrayLast, ArrayLast, Reason::array>);
    CHECK(blames<ArrayOfOne, int[1], Reason::array>);
    CHECK(blames<ArrayOfStructs, ArrayOfStructs, Reason::array>);
    CHECK(blames<ArrayMiddle, ArrayMiddle, Reason::array>);
    CHECK(blames<std::vector<ArrayLast>, ArrayLast, Reason::array>);
  }

  TEST_CASE("views are refused inside other types") {
    CHECK(blames<std::vector<std::string_view>, std::string_view, Reason::view>);
    CHECK(blames<Holds<std::span<const int>>, std::span<const int>, Reason::view>);
  }

  TEST_CASE("aggregates with base classes, references and constants are refused") {
    CHECK(blames<Derived, Derived, Reason::base>);
    CHECK(blames<DerivedFromEmpty, DerivedFromEmpty, Reason::base>);
    CHECK(blames<Holds<Derived>, Derived, Reason::base>);
    CHECK(blames<Reference, Reference, Reason::not_makeable>);
    CHECK(blames<ConstReference, ConstReference, Reason::not_makeable>);
    CHECK(blames<Constant, const int, Reason::constant>);
  }

  TEST_CASE("classes that say nothing about themselves are refused") {
    CHECK(blames<Closed, Closed, Reason::other>);
    CHECK(blames<std::vector<Closed>, Closed, Reason::other>);
    CHECK(blames<OwnWithoutDefault, OwnWithoutDefault, Reason::not_makeable>);
    CHECK(blames<std::optional<OwnWithoutDefault>, OwnWithoutDefault, Reason::not_makeable>);
    CHECK(blames<Vector, Vector, Reason::base>);
    CHECK(blames<std::stack<int>, std::stack<int>, Reason::other>);
    CHECK(blames<std::thread, std::thread, Reason::other>);
    CHECK(blames<std::mutex, std::mutex, Reason::lock>);
    CHECK(blames<std::function<void()>, std::function<void()>, Reason::captures>);
    int captured = 0;
    const auto capturing = [&captured] { return ++captured; };
    using Capturing = std::remove_const_t<decltype(capturing)>;
    CHECK(blames<Capturing, Capturing, Reason::captures>);
    CHECK(capturing() == 1);
  }
}

}  // namespace multiprocessing::detail::sendable_tests
