// The main() of every test binary that runs children: becomes the child first, where it is one, then
// tells the library how programs are started on this machine, then runs doctest and demands that it
// ran at least one test case, so that a misspelt suite name cannot pass.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <multiprocessing/context.hpp>
#include <multiprocessing/process.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "test_support/listener.hpp"

namespace {

/// Without binfmt an emulated program cannot start itself: its children need the emulator in front.
void use_launcher(const char* self) {
  const char* launcher = std::getenv("MULTIPROCESSING_TEST_LAUNCHER");
  if (launcher == nullptr || *launcher == '\0') return;
  std::istringstream words(launcher);
  std::vector<std::string> prefix;
  for (std::string word; words >> word;) prefix.push_back(word);
  multiprocessing::set_executable(std::filesystem::absolute(self).string(), prefix);
}

unsigned cases_run = 0;

struct CaseCounter : doctest::IReporter {
  explicit CaseCounter(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats& stats) override { cases_run = stats.numTestCasesPassingFilters; }
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_LISTENER("case_counter", 1, CaseCounter);

}  // namespace

int main(int argc, char** argv) {
  multiprocessing::freeze_support(argc, argv);
  use_launcher(argv[0]);
  multiprocessing::test_support::install_watchdog();

  doctest::Context context(argc, argv);
  context.setOption("no-intro", true);
  const int result = context.run();
  if (context.shouldExit()) return result;
  if (cases_run == 0) {
    std::cerr << "no test case matched the filters\n";
    return 1;
  }
  return result;
}
