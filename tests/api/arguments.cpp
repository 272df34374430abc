// What travels to a child, through the real start methods: every kind of target, every size of argument.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "test_support/start_methods.hpp"

namespace api_arguments {

namespace mp = multiprocessing;
using mp::test_support::with_each_start_method;

struct Options {
  int a = 0;
  std::string b;
  std::map<std::string, std::vector<double>> c;
  std::optional<std::variant<int, std::string>> d;
  friend bool operator==(const Options&, const Options&) = default;
};

Options echo(Options options) { return options; }
std::string concatenate(std::string_view a, const std::string& b, std::string&& c) {
  return std::string(a) + b + c;
}
int sum(std::span<const int> numbers) {
  int total = 0;
  for (const int number : numbers) total += number;
  return total;
}
int unpack(std::unique_ptr<int> number) { return number ? *number : -1; }
std::size_t size_of(const std::vector<unsigned char>& bytes) { return bytes.size(); }
std::vector<int> numbers(std::size_t count) { return std::vector<int>(count, 7); }
int overloaded(int x) { return x; }
[[maybe_unused]] double overloaded(double x) { return x; }
int no_throw(int x) noexcept { return x + 1; }
template <class T>
T twice(T x) {
  return x + x;
}
struct Account {
  int balance = 0;
  [[nodiscard]] int plus(int amount) const { return balance + amount; }
  static int fee() { return 3; }
};
struct Adder {
  int base = 0;
  int operator()(int x) const { return base + x; }
};

struct Moody {
  bool fails = false;
  template <class Archive>
  void save(Archive& archive) const {
    if (fails) throw std::runtime_error("not today");
    archive(fails);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(fails);
  }
};
void take_moody(Moody) {}

TEST_SUITE("api.arguments") {
  TEST_CASE("values of all kinds arrive as they were") {
    with_each_start_method([](mp::Context& context) {
      const Options options{4, "gr\xC3\xBC\xC3\x9F", {{"", {}}, {"pi", {3.14, -0.0}}}, std::string("x")};
      CHECK(context.call(echo, options) == options);
      CHECK(context.call(echo, Options{}) == Options{});
      CHECK(context.call(concatenate, "a", std::string("b"), "") == "ab");
      CHECK(context.call(sum, std::vector{1, 2, 3}) == 6);
      CHECK(context.call(unpack, std::make_unique<int>(5)) == 5);
      CHECK(context.call(unpack, std::unique_ptr<int>()) == -1);
    });
  }

  TEST_CASE("every kind of target runs") {
    with_each_start_method([](mp::Context& context) {
      CHECK(context.call(static_cast<int (*)(int)>(overloaded), 5) == 5);
      CHECK(context.call(mp::fn<static_cast<int (*)(int)>(overloaded)>, 6) == 6);
      CHECK(context.call(no_throw, 1) == 2);
      CHECK(context.call(twice<int>, 21) == 42);
      CHECK(context.call(Account::fee) == 3);
      CHECK(context.call(mp::fn<&Account::plus>, Account{10}, 5) == 15);
      CHECK(context.call(Adder{100}, 1) == 101);
      CHECK(context.call([](int x) { return x * 3; }, 5) == 15);
      CHECK(context.call([](auto x) { return x.size(); }, "four") == 4);
      context.call([] {});
    });
  }

  TEST_CASE("arguments and results of nothing and of 50 MiB") {
    with_each_start_method([](mp::Context& context) {
      constexpr std::size_t big = std::size_t{50} << 20;
      CHECK(context.call(size_of, std::vector<unsigned char>()) == 0);
      CHECK(context.call(size_of, std::vector<unsigned char>(big)) == big);
      CHECK(context.call(numbers, big / 4).size() == big / 4);
      CHECK(context.call(numbers, std::size_t{0}).empty());
    });
  }

  TEST_CASE("captures work where the child is forked") {
    if (!mp::test_support::can_fork()) return;
    int captured = 6;
    mp::ForkProcess p([&captured] { mp::exit(captured); });
    p.start();
    p.join();
    CHECK(p.exitcode() == 6);
  }

  TEST_CASE("an argument whose writing fails leaves the process unstarted, and usable") {
    auto p = mp::SpawnProcess(take_moody, Moody{true});
    CHECK_THROWS_AS(p.start(), mp::SerializationError);
    CHECK_FALSE(p.pid());
    CHECK(mp::active_children().empty());
    auto q = mp::SpawnProcess(take_moody, Moody{false});
    q.start();
    q.join();
    CHECK(q.exitcode() == 0);
  }
}

}  // namespace api_arguments
