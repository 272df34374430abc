// Classes derived from Process: what the child makes of them under each start method.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <string>
#include <utility>

#include "test_support/start_methods.hpp"

namespace api_subclass {

namespace mp = multiprocessing;

/// Ends with 0 if everything that the object says of itself is right in the child.
struct Greeter : mp::ProcessOf<Greeter> {
  std::string who;
  Greeter() = default;
  explicit Greeter(std::string w, mp::ProcessOptions options = {})
      : ProcessOf(std::move(options)), who(std::move(w)) {}
  void run() override {
    const bool right = who == "bob" && name() == "greeter" && name() == mp::current_process().name() &&
                       pid() == mp::current_process().pid() && is_alive();
    mp::exit(right ? 0 : 1);
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(who);
  }
};

class Secret : public mp::ProcessOf<Secret> {
 public:
  explicit Secret(int code) : code_(code) {}
  void run() override { mp::exit(code_); }

 private:
  friend class mp::access;
  Secret() = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(code_);
  }
  int code_ = 0;
};

struct Further : Greeter {
  using Greeter::Greeter;
  void run() override { mp::exit(4); }
};

struct Plain : mp::Process {
  void run() override { mp::exit(5); }
};

template <class Test>
void under_each_start_method(Test test) {
  mp::test_support::with_each_start_method([&](mp::Context& context) {
    mp::set_start_method(context.get_start_method(), true);
    test(context.get_start_method());
  });
  mp::set_start_method(mp::get_all_start_methods().front(), true);
}

TEST_SUITE("api.subclass") {
  TEST_CASE(
      "run() of the object's class is called, with the object's members, and self is current_process()") {
    under_each_start_method([](const std::string&) {
      Greeter p("bob", {.name = "greeter"});
      p.start();
      p.join();
      CHECK(p.exitcode() == 0);
    });
  }

  TEST_CASE("the default constructor and the members may be private") {
    under_each_start_method([](const std::string&) {
      Secret p(9);
      p.start();
      p.join();
      CHECK(p.exitcode() == 9);
    });
  }

  TEST_CASE("a class that no other process can make works under fork, and is a TypeError elsewhere") {
    under_each_start_method([](const std::string& method) {
      Further further("bob");
      Plain plain;
      if (method == "fork") {
        further.start();
        further.join();
        CHECK(further.exitcode() == 4);
        plain.start();
        plain.join();
        CHECK(plain.exitcode() == 5);
      } else {
        CHECK_THROWS_AS(further.start(), mp::TypeError);
        CHECK_THROWS_AS(plain.start(), mp::TypeError);
        CHECK_FALSE(plain.pid());
      }
    });
  }
}

}  // namespace api_subclass
