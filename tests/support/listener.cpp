// Tells the watchdog where each test case of doctest begins and ends.
#include "test_support/listener.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "test_support/watchdog.hpp"

namespace multiprocessing::test_support {
namespace {

unsigned passed_filters = 0;

struct Watching : doctest::IReporter {
  explicit Watching(const doctest::ContextOptions&) {}

  void test_case_start(const doctest::TestCaseData& test) override { watch_over(test.m_name, time_limit()); }
  void test_case_reenter(const doctest::TestCaseData& test) override {
    watch_over(test.m_name, time_limit());
  }
  void test_case_end(const doctest::CurrentTestCaseStats&) override { watch_ends(); }

  void test_run_end(const doctest::TestRunStats& run) override {
    passed_filters = run.numTestCasesPassingFilters;
  }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};

}  // namespace

void install_watchdog() {
  doctest::registerReporter<Watching>("watchdog", 1, false);
  watch_over("before the first test", time_limit());
}

unsigned cases_run() { return passed_filters; }

void allow_minutes(int minutes) { watch_over(watched_name(), std::chrono::minutes(minutes)); }

void skip(std::string_view reason) {
  std::printf("[skipped] %s: %.*s\n", watched_name().c_str(), static_cast<int>(reason.size()), reason.data());
  std::fflush(stdout);
}

}  // namespace multiprocessing::test_support
