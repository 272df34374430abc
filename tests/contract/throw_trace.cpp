// The stack of a throw, and the names of exceptions.
#include "contract/throw_trace.hpp"

#include <doctest/doctest.h>

#include <exception>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/image.hpp"
#include "test_support/listener.hpp"

namespace multiprocessing::platform::throw_trace_tests {

// Named functions that are neither inlined nor left by a jump: they are called through volatile pointers, and
// something is done after each call.
volatile int after_calls = 0;
using Step = void (*)();
void call(const volatile Step& step);
void call(const volatile Step& step) {
  const Step function = step;
  function();
  after_calls = after_calls + 1;
}
void thrower();
void thrower() {
  if (after_calls >= 0) throw std::out_of_range("too far");
}
volatile Step throwing_step = &thrower;
void between();
void between() { call(throwing_step); }
volatile Step middle_step = &between;

namespace {

using test_support::skip;

struct NoStandardException {
  int value;
};

struct CatchesWhileUnwinding {
  ~CatchesWhileUnwinding() {
    try {
      throw NoStandardException{1};
    } catch (const NoStandardException&) {
    }
  }
};

// Runs `body` under a trace and catches what leaves it; "" if nothing did.
std::string caught(const std::function<void()>& body, ThrowTrace& trace) {
  const auto run = [](void* function) { (*static_cast<const std::function<void()>*>(function))(); };
  try {
    call_traced(run, const_cast<std::function<void()>*>(&body), trace);
  } catch (...) {
    return current_exception_type_name();
  }
  return "";
}

std::string names_of(const ThrowTrace& trace) {
  std::string names;
  for (const Symbol& symbol : find_symbols(locate_frames(std::span(trace.frames, trace.size))))
    names += symbol.function + '\n';
  return names;
}

std::string name_of_frame(const ThrowTrace& trace, std::size_t index) {
  const auto symbols = find_symbols(locate_frames(std::span(trace.frames, trace.size)));
  return index < symbols.size() ? symbols[index].function : "";
}

bool holds_function(const ThrowTrace& trace, const std::string& name) {
  for (const Symbol& symbol : find_symbols(locate_frames(std::span(trace.frames, trace.size)))) {
    if (symbol.function.starts_with(name)) return true;
  }
  return false;
}

bool names_known() { return throw_traces_supported() && capabilities().symbol_names; }

constexpr const char* no_traces = "the stack of a throw cannot be seen here";
const std::string prefix = "multiprocessing::platform::throw_trace_tests::";

}  // namespace

TEST_SUITE("contract.throw_trace") {
  TEST_CASE("the capability is the same everywhere") {
    CHECK(capabilities().throw_traces == throw_traces_supported());
  }

  TEST_CASE("an exception passes unchanged") {
    ThrowTrace trace;
    const auto run = [](void*) { throw std::runtime_error("message"); };
    CHECK_THROWS_WITH_AS(call_traced(run, nullptr, trace), "message", std::runtime_error);
    CHECK((trace.size > 0) == throw_traces_supported());
  }

  TEST_CASE("without an exception there is no trace") {
    ThrowTrace trace;
    trace.size = 7;
    int calls = 0;
    call_traced([](void* count) { ++*static_cast<int*>(count); }, &calls, trace);
    CHECK(calls == 1);
    CHECK(trace.size == 0);
  }

  TEST_CASE("the trace begins with the function that threw and leads to the caller") {
    if (!names_known()) return skip(no_traces);
    ThrowTrace trace;
    CHECK(caught([] { call(middle_step); }, trace) == "std::out_of_range");
    CHECK(name_of_frame(trace, 0).starts_with(prefix + "thrower()"));
    CHECK(holds_function(trace, prefix + "between()"));
  }

  TEST_CASE("an exception that is caught inside leaves no trace") {
    ThrowTrace trace;
    CHECK(caught(
              [] {
                try {
                  call(throwing_step);
                } catch (const std::out_of_range&) {
                }
              },
              trace)
              .empty());
    CHECK(trace.size == 0);
  }

  TEST_CASE("the exception that escapes is traced, not one before it or during unwinding") {
    if (!names_known()) return skip(no_traces);
    ThrowTrace trace;
    const auto body = [] {
      try {
        throw NoStandardException{0};
      } catch (const NoStandardException&) {
      }
      const CatchesWhileUnwinding unwinding;
      call(middle_step);
    };
    CHECK(caught(body, trace) == "std::out_of_range");
    CHECK(name_of_frame(trace, 0).starts_with(prefix + "thrower()"));
  }

  TEST_CASE("an exception that replaces another is traced where it was thrown") {
    if (!names_known()) return skip(no_traces);
    ThrowTrace trace;
    const auto body = [] {
      try {
        throw NoStandardException{0};
      } catch (const NoStandardException&) {
        call(middle_step);
      }
    };
    CHECK(caught(body, trace) == "std::out_of_range");
    CHECK(name_of_frame(trace, 0).starts_with(prefix + "thrower()"));
  }

  TEST_CASE("an exception that is thrown again is traced") {
    if (!throw_traces_supported()) return skip(no_traces);
    ThrowTrace trace;
    CHECK(caught(
              [] {
                try {
                  call(middle_step);
                } catch (...) {
                  throw;
                }
              },
              trace) == "std::out_of_range");
    CHECK(trace.size > 0);
    INFO(names_of(trace));
    if (names_known()) CHECK(name_of_frame(trace, 0).find("throw_trace_tests") != std::string::npos);
    CHECK(caught(
              [] {
                std::exception_ptr kept;
                try {
                  call(middle_step);
                } catch (...) {
                  kept = std::current_exception();
                }
                std::rethrow_exception(kept);
              },
              trace) == "std::out_of_range");
    CHECK(trace.size > 0);
    INFO(names_of(trace));
    if (names_known()) CHECK(name_of_frame(trace, 0).find("throw_trace_tests") != std::string::npos);
  }

  TEST_CASE("nested calls on one thread each see their own exception") {
    if (!names_known()) return skip(no_traces);
    ThrowTrace outer, inner;
    std::string inner_type;
    const auto body = [&] {
      inner_type = caught([] { throw NoStandardException{2}; }, inner);
      call(middle_step);
    };
    CHECK(caught(body, outer) == "std::out_of_range");
    CHECK(inner_type.ends_with("NoStandardException"));
    CHECK(inner.size > 0);
    CHECK(name_of_frame(outer, 0).starts_with(prefix + "thrower()"));
  }

  TEST_CASE("threads do not disturb each other") {
    constexpr int rounds = 200;
    std::vector<std::thread> threads;
    std::vector<int> right(4, 0);
    for (int& count : right) {
      threads.emplace_back([&count] {
        for (int i = 0; i < rounds; ++i) {
          ThrowTrace trace;
          const bool caught_it = caught([] { call(middle_step); }, trace) == "std::out_of_range";
          if (caught_it && (trace.size > 0) == throw_traces_supported()) ++count;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const int count : right) CHECK(count == rounds);
  }

  TEST_CASE("a stack deeper than the trace is cut at its outer end") {
    if (!names_known()) return skip(no_traces);
    static void (*deeper)(int) = [](int depth) {
      if (depth == 0)
        call(throwing_step);
      else
        deeper(depth - 1);
      after_calls = after_calls + 1;
    };
    ThrowTrace trace;
    CHECK(caught([] { deeper(500); }, trace) == "std::out_of_range");
    CHECK(trace.size == ThrowTrace::capacity);
    CHECK(name_of_frame(trace, 0).starts_with(prefix + "thrower()"));
  }

  TEST_CASE("types have the names that source code gives them") {
    CHECK(demangled_type_name(typeid(std::out_of_range)) == "std::out_of_range");
    CHECK(demangled_type_name(typeid(int)) == "int");
    CHECK(current_exception_type_name().empty());
    ThrowTrace trace;
    CHECK(caught([] { throw 3; }, trace) == "int");
    CHECK(caught([] { throw NoStandardException{1}; }, trace).ends_with("NoStandardException"));
  }
}

}  // namespace multiprocessing::platform::throw_trace_tests
