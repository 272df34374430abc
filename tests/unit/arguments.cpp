// How each sort of parameter is stored and passed, and what a callable says about its parameters.
#include <multiprocessing/detail/arguments.hpp>
#include <multiprocessing/detail/serialize.hpp>

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing::detail::arguments_tests {
namespace {

template <class Parameter, class Stored>
constexpr bool stored_as = std::is_same_v<StoredParameter<Parameter>, Stored>;
template <class F, class... Parameters>
constexpr bool takes_these = std::is_same_v<typename SignatureFor<F>::List, TypeList<Parameters...>>;
template <class F>
constexpr bool is_generic = std::is_same_v<SignatureFor<F>, Generic>;

struct Foo {
  int plain(int n) { return data += n; }
  int constant(int n) const { return data + n; }
  int lvalue(int n) & { return data += n; }
  int rvalue(int n) && { return data += n; }
  int safe(int n) const noexcept { return data + n; }
  static int of_class(int n) { return n; }
  int data;
};
struct Functor {
  int operator()(const std::string&, int&&) const noexcept;
};
struct Overloaded {
  void operator()(int) const;
  void operator()(std::string) const;
};

/// A handle that can be moved, and shared with another process, but not copied.
class Handle : public Shareable {
 public:
  explicit Handle(int number) : number_(number) {}
  Handle(Handle&&) = default;
  Handle& operator=(Handle&&) = default;
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] Handle share() const { return Handle(number_ + 100); }

 private:
  int number_;
};

}  // namespace

TEST_SUITE("unit.arguments") {
  TEST_CASE("parameters are stored by value, views as what they look at") {
    CHECK(stored_as<int, int>);
    CHECK(stored_as<const std::string&, std::string>);
    CHECK(stored_as<std::string&&, std::string>);
    CHECK(stored_as<std::unique_ptr<int>, std::unique_ptr<int>>);
    CHECK(stored_as<std::string_view, std::string>);
    CHECK(stored_as<const std::string_view&, std::string>);
    CHECK(stored_as<std::u16string_view, std::u16string>);
    CHECK(stored_as<std::span<const int>, std::vector<int>>);
    CHECK(stored_as<std::span<const std::string, 2>, std::vector<std::string>>);
    CHECK(stored_as<std::span<int>, std::span<int>>);
    CHECK(stored_as<Handle&, Handle>);
  }

  TEST_CASE("where the callable is generic the argument decides, and literals are strings") {
    CHECK(std::is_same_v<StoredArgument<const char(&)[4]>, std::string>);
    CHECK(std::is_same_v<StoredArgument<const char*>, std::string>);
    CHECK(std::is_same_v<StoredArgument<char*&>, std::string>);
    CHECK(std::is_same_v<StoredArgument<const wchar_t(&)[4]>, std::wstring>);
    CHECK(std::is_same_v<StoredArgument<const std::vector<int>&>, std::vector<int>>);
    CHECK(std::is_same_v<StoredArgument<std::string_view>, std::string>);
    CHECK(std::is_same_v<StoredArgument<const int*>, const int*>);
  }

  TEST_CASE("callables name their parameters") {
    CHECK(takes_these<void (*)()>);
    CHECK(takes_these<int (*)(int, const std::string&), int, const std::string&>);
    CHECK(takes_these<int (*)(int) noexcept, int>);
    CHECK(takes_these<decltype(&Foo::of_class), int>);
    CHECK(takes_these<Functor, const std::string&, int&&>);
    const auto lambda = [](std::string_view) mutable {};
    CHECK(takes_these<std::remove_const_t<decltype(lambda)>, std::string_view>);
    const auto generic = [](auto...) {};
    CHECK(is_generic<std::remove_const_t<decltype(generic)>>);
    CHECK(is_generic<Overloaded>);
    CHECK(is_generic<int>);
  }

  TEST_CASE("mp::fn puts the object before the parameters of a member function") {
    CHECK(takes_these<Fn<&Foo::plain>, ObjectOf<Foo>, int>);
    CHECK(takes_these<Fn<&Foo::constant>, ObjectOf<Foo>, int>);
    CHECK(takes_these<Fn<&Foo::lvalue>, ObjectOf<Foo>, int>);
    CHECK(takes_these<Fn<&Foo::rvalue>, Foo&&, int>);
    CHECK(takes_these<Fn<&Foo::safe>, ObjectOf<Foo>, int>);
    CHECK(takes_these<Fn<&Foo::data>, ObjectOf<Foo>>);
    CHECK(takes_these<Fn<&Foo::of_class>, int>);
    CHECK(stored_as<ObjectOf<Foo>, Foo>);
    CHECK(stored_as<Foo&&, Foo>);
  }

  TEST_CASE("an argument is accepted as in a call") {
    CHECK(accepts<const char(&)[4], std::string>);
    CHECK(accepts<const char(&)[4], std::string_view>);
    CHECK(accepts<std::vector<int>&, std::span<const int>>);
    CHECK(accepts<std::array<int, 3>&, std::span<const int, 3>>);
    CHECK(accepts<short, const long&>);
    CHECK(accepts<Handle&, Handle&>);
    CHECK(accepts<const Handle&, Handle>);
    CHECK(!accepts<const char(&)[4], int>);
    CHECK(!accepts<std::unique_ptr<int>&, std::unique_ptr<int>>);
    CHECK(!accepts<int, std::vector<int>>);
  }

  TEST_CASE("views look into what is stored") {
    auto text = store<std::string_view, std::string>("text");
    CHECK(pass<std::string_view>(text).data() == text.data());
    auto list = store<std::span<const int>, std::vector<int>>(std::array{1, 2, 3});
    CHECK(list == std::vector<int>{1, 2, 3});
    CHECK(pass<std::span<const int>>(list).data() == list.data());
    CHECK(pass<std::span<const int, 3>>(list).size() == 3);
    CHECK_THROWS_AS((void)(pass<std::span<const int, 4>>(list)), SerializationError);
  }

  TEST_CASE("values are passed as the parameter wants them") {
    std::string stored;
    CHECK(std::is_same_v<decltype(pass<std::string>(stored)), std::string&&>);
    CHECK(std::is_same_v<decltype(pass<std::string&&>(stored)), std::string&&>);
    CHECK(std::is_same_v<decltype(pass<const std::string&>(stored)), const std::string&>);
    Foo foo{};
    CHECK(std::is_same_v<decltype(pass<ObjectOf<Foo>>(foo)), Foo&>);
    Handle handle(1);
    CHECK(std::is_same_v<decltype(pass<Handle&>(handle)), Handle&>);
  }

  TEST_CASE("a handle that cannot be copied is shared, and one that is given away is moved") {
    Handle mine(1);
    CHECK(store<Handle&, Handle>(mine).number() == 101);
    CHECK(store<Handle, Handle>(std::move(mine)).number() == 1);
  }
}

}  // namespace multiprocessing::detail::arguments_tests
