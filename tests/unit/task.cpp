// Tasks make the way through bytes and a descriptor, here within one process.
#include <multiprocessing/detail/task.hpp>
#include <multiprocessing/fn.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace multiprocessing::detail::task_tests {
namespace {

/// What another process would do with the task.
std::vector<std::byte> run_elsewhere(const Task& task) {
  Encoder arguments, result;
  task.encode(arguments);
  Decoder decoder(arguments.bytes());
  const Target target = task.target();
  target.descriptor->run(target.function, decoder, &result);
  decoder.expect_end();
  return {result.bytes().begin(), result.bytes().end()};
}

template <class F, class... Args>
auto call_elsewhere(F f, Args&&... args) {
  const auto task = make_task<true>(std::move(f), std::forward<Args>(args)...);
  return decode_result<task_result_t<F, Args...>>(run_elsewhere(*task));
}

struct Options {
  int a = 0;
  std::string b;
};

int sum(int a, int b) { return a + b; }
int product(int a, int b) noexcept { return a * b; }
std::string describe(const Options& options, std::string_view text, std::span<const int> list,
                     std::string tail) {
  return options.b + std::string(text) + std::to_string(list.size()) + tail;
}
int unwrap(std::unique_ptr<int> value) { return *value; }
int consume(std::string&& text) { return static_cast<int>(std::exchange(text, "").size()); }
void fail() { throw std::out_of_range("as planned"); }
const std::string& same(const std::string& text) { return text; }
std::string_view part(std::string_view text) { return text.substr(1); }
int* address() { return nullptr; }
int overloaded(int value) { return value; }
int overloaded(std::string value) { return static_cast<int>(value.size()); }

struct Counter {
  int start = 0;
  int add(int n) { return start += n; }
  int get() const noexcept { return start; }
  int take() && { return std::exchange(start, 0); }
  int at(int n) & { return start * n; }
  static int twice(int n) { return 2 * n; }
};

struct Scale {
  int factor;
  int operator()(int n) const { return factor * n; }
};

struct Size {
  template <class T>
  std::size_t operator()(const T& container) const {
    return container.size();
  }
};

/// A handle onto a number of this process.
class Shared : public Shareable {
 public:
  explicit Shared(int* place) : place_(place) {}
  void set(int value) const { *place_ = value; }

 private:
  friend class multiprocessing::access;
  void encode(Encoder& encoder) const { encoder.number(reinterpret_cast<std::uintptr_t>(place_)); }
  static Shared decode(Decoder& decoder) {
    return Shared(reinterpret_cast<int*>(decoder.number<std::uintptr_t>()));
  }
  int* place_;
};
void set_by_reference(Shared& shared, int value) { shared.set(value); }
void set_all(const std::vector<Shared>& list, int value) {
  for (const Shared& shared : list) shared.set(value);
}

template <class Derived>
struct ObjectBase {
  int from_base = 1;
};
struct Greeter : ObjectBase<Greeter> {
  static inline std::string said;
  void run() { said = "hello " + who_; }
  static Greeter to(std::string who) {
    Greeter greeter;
    greeter.who_ = std::move(who);
    return greeter;
  }

 private:
  friend class multiprocessing::access;
  Greeter() = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(who_);
  }
  std::string who_;
};
struct Plain : ObjectBase<Plain> {
  static inline int runs = 0;
  void run() { ++runs; }
};

}  // namespace

TEST_SUITE("unit.task") {
  TEST_CASE("functions run elsewhere with their arguments") {
    CHECK(call_elsewhere(sum, 1, 2) == 3);
    CHECK(call_elsewhere(product, 3, 4) == 12);
    CHECK(call_elsewhere(describe, Options{1, "b"}, "view", std::vector<int>{1, 2}, "tail") == "bview2tail");
    CHECK(call_elsewhere(unwrap, std::make_unique<int>(7)) == 7);
    CHECK(call_elsewhere(consume, "four") == 4);
    CHECK(call_elsewhere(&Counter::twice, 4) == 8);
    CHECK_THROWS_AS(call_elsewhere(fail), std::out_of_range);
  }

  TEST_CASE("lambdas and function objects do, with their data if they have some") {
    CHECK(call_elsewhere([](int n) { return n + 1; }, 1) == 2);
    CHECK(call_elsewhere([](auto a, auto b) { return a + b; }, "lit", std::string("eral")) == "literal");
    CHECK(call_elsewhere(Scale{3}, 5) == 15);
    CHECK(call_elsewhere(Size(), std::map<int, int>{{1, 1}}) == 1);
  }

  TEST_CASE("mp::fn does for members, data and one of an overload set") {
    CHECK(call_elsewhere(fn<&Counter::add>, Counter{5}, 6) == 11);
    CHECK(call_elsewhere(fn<&Counter::get>, Counter{5}) == 5);
    CHECK(call_elsewhere(fn<&Counter::take>, Counter{5}) == 5);
    CHECK(call_elsewhere(fn<&Counter::at>, Counter{5}, 3) == 15);
    CHECK(call_elsewhere(fn<&Counter::start>, Counter{9}) == 9);
    CHECK(call_elsewhere(fn<static_cast<int (*)(std::string)>(overloaded)>, "four") == 4);
    CHECK(call_elsewhere(static_cast<int (*)(int)>(overloaded), 8) == 8);
    CHECK(fn<&Counter::add>(Counter{1}, 2) == 3);
  }

  TEST_CASE("results are values: references and views are copied") {
    CHECK(std::is_same_v<task_result_t<decltype(same), std::string>, std::string>);
    CHECK(call_elsewhere(same, "same") == "same");
    CHECK(call_elsewhere(part, "text") == "ext");
    CHECK(std::is_void_v<task_result_t<decltype(fail)>>);
    CHECK(run_elsewhere(*make_task<false>([] {})).empty());
    CHECK_THROWS_AS(decode_result<int>({}), SerializationError);
    CHECK_THROWS_AS(decode_result<void>(std::vector<std::byte>(1)), SerializationError);
  }

  TEST_CASE("a result that cannot travel is dropped where nobody asked for it") {
    const auto task = make_task<false>(address);
    CHECK(run_elsewhere(*task).empty());
  }

  TEST_CASE("a result is not written where none is wanted") {
    Encoder arguments;
    const auto task = make_task<false>(sum, 1, 2);
    task->encode(arguments);
    Decoder decoder(arguments.bytes());
    CHECK_NOTHROW(task->target().descriptor->run(task->target().function, decoder, nullptr));
  }

  TEST_CASE("encoding leaves the arguments, running takes them") {
    const auto task = make_task<true>(consume, "four");
    Encoder first, second;
    task->encode(first);
    task->encode(second);
    CHECK(std::vector(first.bytes().begin(), first.bytes().end()) ==
          std::vector(second.bytes().begin(), second.bytes().end()));
    Encoder result;
    task->run(&result);
    CHECK(decode_result<int>(result.bytes()) == 4);
  }

  TEST_CASE("functions of one signature share a descriptor and differ by address") {
    const Target a = make_task<false>(sum, 1, 2)->target();
    const Target b = make_task<true>(product, 1, 2)->target();
    CHECK(a.descriptor == b.descriptor);
    CHECK(a.function != b.function);
    CHECK(a.descriptor->magic == task_magic);
    const Target lambda = make_task<false>([](int, int) {}, 1, 2)->target();
    CHECK(lambda.descriptor != a.descriptor);
    CHECK(lambda.function == nullptr);
    CHECK(make_task<false>(consume, "x")->target().descriptor->signature != a.descriptor->signature);
  }

  TEST_CASE("a function known by name has the target that its tasks have") {
    const Target task = make_task<false>(sum, 1, 2)->target();
    CHECK(target_of<&sum>().descriptor == task.descriptor);
    CHECK(target_of<&sum>().function == task.function);
    CHECK(target_of<&Counter::add>().descriptor ==
          make_task<false>(fn<&Counter::add>, Counter{}, 1)->target().descriptor);
  }

  TEST_CASE("shareable handles go by reference, by value and inside containers") {
    int number = 0;
    const Shared shared(&number);
    call_elsewhere(set_by_reference, shared, 5);
    CHECK(number == 5);
    call_elsewhere(set_all, std::vector<Shared>{shared}, 6);
    CHECK(number == 6);
  }

  TEST_CASE("bytes of another call are refused before the function is called") {
    const auto task = make_task<true>(describe, Options{}, "", std::vector<int>(), "");
    Encoder encoder;
    task->encode(encoder);
    const Target target = task->target();
    for (std::size_t size = 0; size < encoder.size(); ++size) {
      Decoder decoder(encoder.bytes().first(size));
      REQUIRE_THROWS_AS(target.descriptor->run(target.function, decoder, nullptr), SerializationError);
    }
    Decoder decoder({});
    try {
      target.descriptor->run(target.function, decoder, nullptr);
      FAIL("nothing was thrown");
    } catch (const SerializationError& error) {
      const std::string what = error.what();
      CHECK(what.find("cannot read argument 1, ") == 0);
      CHECK(what.find("Options") != std::string::npos);
    }
  }

  TEST_CASE("a null function pointer is refused") {
    int (*nothing)(int) = nullptr;
    CHECK_THROWS_AS(make_task<false>(nothing, 1), ValueError);
    CHECK_THROWS_AS(make_local_task(nothing, 1), ValueError);
  }

  TEST_CASE("local tasks take captures, pointers and references, and cannot travel") {
    int total = 0;
    const auto captures = make_local_task([&total](int n) { total += n; }, 3);
    CHECK(!captures->portable());
    CHECK(captures->target().descriptor == nullptr);
    Encoder encoder;
    CHECK_THROWS_AS(captures->encode(encoder), SerializationError);
    captures->run(nullptr);
    CHECK(total == 3);
    make_local_task([](int* place) { *place = 4; }, &total)->run(nullptr);
    CHECK(total == 4);
    make_local_task(
        +[](int& place) { place = 5; }, std::ref(total))
        ->run(nullptr);
    CHECK(total == 5);
    make_local_task([](auto place) { place.get() = 6; }, std::ref(total))->run(nullptr);
    CHECK(total == 6);
    make_local_task(std::function<void(std::shared_ptr<int>)>([&](auto p) { total = *p; }),
                    std::make_shared<int>(7))
        ->run(nullptr);
    CHECK(total == 7);
  }

  TEST_CASE("objects are made elsewhere, read and run") {
    Encoder encoder;
    encode_object(encoder, Greeter::to("bob"));
    Decoder decoder(encoder.bytes());
    object_descriptor<Greeter>.run(nullptr, decoder, nullptr);
    CHECK(Greeter::said == "hello bob");
    Encoder nothing;
    encode_object(nothing, Plain());
    CHECK(nothing.size() == 0);
    Decoder empty({});
    object_descriptor<Plain>.run(nullptr, empty, nullptr);
    CHECK(Plain::runs == 1);
  }
}

}  // namespace multiprocessing::detail::task_tests
