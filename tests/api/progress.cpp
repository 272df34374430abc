// progress(): what it shows where standard error is no terminal, and that it passes everything on.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <list>
#include <ranges>
#include <string>
#include <vector>

namespace api_progress {

namespace mp = multiprocessing;

void go_through(int count) {
  int sum = 0;
  for (const int x : mp::progress(std::views::iota(0, count), {.description = "numbers"})) sum += x;
  if (sum != count * (count - 1) / 2) mp::exit(2);
}
void of_unknown_length(int count) {
  auto unsized = std::views::iota(0) | std::views::take_while([=](int x) { return x < count; });
  for (const int x : mp::progress(unsized)) static_cast<void>(x);
}
void nothing() {
  for (const int x : mp::progress(std::vector<int>{})) static_cast<void>(x);
}

template <class F, class... Args>
std::string error_output(F f, Args... args) {
  mp::Process child({.standard_error = mp::Stdio::pipe}, f, args...);
  child.start();
  const auto bytes = child.standard_error().read_all();
  child.join();
  CHECK(child.exitcode() == 0);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_SUITE("api.progress") {
  TEST_CASE("elsewhere than on a terminal: a line at the end") {
    const std::string text = error_output(go_through, 100);
    CHECK(text.starts_with("numbers: 100% 100/100 ["));
    CHECK(text.ends_with("/s]\n"));
    CHECK(text.find('\r') == std::string::npos);
    CHECK(error_output(of_unknown_length, 7).starts_with("7 ["));
    CHECK(error_output(nothing).starts_with("100% 0/0 ["));
  }

  TEST_CASE("elements are passed on as they are") {
    std::vector<std::string> words = {"a", "b"};
    for (auto& word : mp::progress(words)) word += "!";
    CHECK(words == std::vector<std::string>{"a!", "b!"});
    mp::ThreadPool pool(1);
    auto squares = pool.imap([](int x) { return x * x; }, std::vector{1, 2, 3});
    std::list<int> seen;
    for (const int x : mp::progress(squares, {.total = 3})) seen.push_back(x);
    CHECK(seen == std::list<int>{1, 4, 9});
  }
}

}  // namespace api_progress
