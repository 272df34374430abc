// What a sweep is made of: a scenario is run again and again, and each time another one of the platform's
// calls fails, the N-th of a kind, for every N and every documented condition. Each failure has to be
// reported or recovered from, and nothing may be left of it.
#pragma once

#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <tuple>

#include "contract/fault.hpp"
#include "injection.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace faults {

struct Fault {
  multiprocessing::platform::Call call;
  std::uint64_t n;
  multiprocessing::platform::Condition condition;
};

/// What is being made to fail; null while a scenario runs undisturbed.
inline const Fault* planned = nullptr;

inline Marks& marks() {
  static Marks instance;
  return instance;
}

inline bool injected_here() { return multiprocessing::platform::fault_plan::injected() > 0; }
inline bool injected_in_child() {
  return marks().count() > multiprocessing::platform::fault_plan::injected();
}

template <class T>
void demand_equal(const T& value, const T& expected, const char* what) {
  if (value != expected) throw WrongOutcome{std::string("wrong ") + what};
}

using Scenario = void (*)(multiprocessing::Context&);
/// (start method, call, condition) that were made to fail at least once.
using Row = std::tuple<std::string, multiprocessing::platform::Call, multiprocessing::platform::Condition>;
/// Whether the exception that is being handled may come of the failure.
using Excuse = bool (*)(const Fault&);

/// Ends what a scenario that was broken off has left running, as a program would.
inline void clean_up() {
  for (auto& child : multiprocessing::active_children()) {
    child.kill();
    child.join();
  }
}

/// The usual excuse: the report of a failed call.
inline bool reports(const Fault& fault) {
  try {
    throw;
  } catch (const multiprocessing::TimeoutError&) {
    return fault.condition == multiprocessing::platform::Condition::timed_out;
  } catch (...) {
    return reports_a_failed_call();
  }
}

/// Whether the failure was injected.
inline bool run_with_fault(Scenario scenario, multiprocessing::Context& context, const Fault& fault,
                           Excuse excuse) {
  namespace fault_plan = multiprocessing::platform::fault_plan;
  fault_plan::clear();
  marks().forget();
  fault_plan::mark_in(marks().path().c_str());
  fault_plan::fail(fault.call, fault.n, fault.condition);
  planned = &fault;
  try {
    scenario(context);
  } catch (...) {
    if (!excuse(fault) || marks().count() == 0)
      FAIL_CHECK("not the report of a failed call: ", current_text());
  }
  planned = nullptr;
  const bool injected = marks().count() > 0;
  fault_plan::clear();
  clean_up();
  return injected;
}

/// With the context's start method.
inline void sweep_in(multiprocessing::Context& context, Scenario scenario, std::set<Row>& reached,
                     Excuse excuse) {
  for (int i = 0; i < 2; ++i) REQUIRE_NOTHROW(scenario(context));
  const auto before = multiprocessing::test_support::settled_holdings();
  for (const auto& row : multiprocessing::platform::fault_table)
    for (const auto condition : row.distinct()) {
      std::uint64_t n = 1;
      INFO(std::string(row.name), " fails as ", std::string(multiprocessing::platform::name_of(condition)));
      for (; n < 100; ++n) {
        INFO("call ", n);
        if (!run_with_fault(scenario, context, {row.call, n, condition}, excuse)) break;
        reached.emplace(context.get_start_method(), row.call, condition);
      }
      CHECK(n < 100);
      const bool all_is_given_back = multiprocessing::test_support::returns_to(before);
      const auto after = multiprocessing::test_support::holdings();
      CHECK_MESSAGE(all_is_given_back, "handles: ", before.handles.value_or(-1), " before, ",
                    after.handles.value_or(-1), " after; threads: ", before.threads.value_or(-1), " before, ",
                    after.threads.value_or(-1), " after");
    }
  marks().forget();
}

/// For what starts nothing.
inline void sweep_once(Scenario scenario, std::set<Row>& reached, Excuse excuse = reports) {
  sweep_in(multiprocessing::get_context(multiprocessing::get_start_method()), scenario, reached, excuse);
}

/// For each start method.
inline void sweep(Scenario scenario, std::set<Row>& reached, Excuse excuse = reports) {
  const std::string default_method = multiprocessing::get_start_method();
  multiprocessing::test_support::with_each_start_method([&](multiprocessing::Context& context) {
    multiprocessing::set_start_method(context.get_start_method(), true);  // for what has no context
    sweep_in(context, scenario, reached, excuse);
  });
  multiprocessing::set_start_method(default_method, true);
}

}  // namespace faults
