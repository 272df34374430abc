// How a report of an exception is cut until it fits into a channel that nobody reads.
#include "wire/exception_report.hpp"

#include <doctest/doctest.h>
#include <multiprocessing/detail/serialize.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace exception_report_test {

using namespace multiprocessing;

constexpr std::size_t most = 48 * 1024;

std::size_t size_of(const runtime::ExceptionReport& report) {
  detail::Encoder encoder;
  detail::encode(encoder, report);
  return encoder.bytes().size();
}

/// As large in all that is cut before as it can be.
runtime::ExceptionReport large_report() {
  runtime::ExceptionReport report;
  report.type_name = std::string(1 << 20, 't');
  report.message = std::string(16 * 1024, 'm');
  report.first_trace = std::string(16 * 1024, 'o');
  return report;
}

}  // namespace exception_report_test

TEST_SUITE("unit.exception_report") {
  using namespace exception_report_test;

  TEST_CASE("what fits stays whole") {
    runtime::ExceptionReport report;
    report.type_name = "Bad";
    report.message = "very bad";
    report.frames = {{1, "/bin/program", 16}, {0, {}, 17}};
    const auto cut = runtime::cut_to_fit(report, most);
    CHECK(cut.type_name == "Bad");
    CHECK(cut.message == "very bad");
    CHECK(cut.frames.size() == 2);
  }

  TEST_CASE("a long name is cut, and the outermost frames of a deep folder are left out") {
    auto report = large_report();
    CHECK(size_of(runtime::cut_to_fit(report, most)) <= most);
    report.first_trace.clear();
    for (std::uint64_t i = 0; i < 64; ++i) report.frames.push_back({1, std::string(4000, 'p'), i});
    const auto cut = runtime::cut_to_fit(report, most);
    CHECK(size_of(cut) <= most);
    CHECK(cut.message == report.message);
    CHECK(report.type_name.starts_with(cut.type_name));
    CHECK(cut.frames.size() > 4);
    CHECK(cut.frames.size() < 64);
    for (std::size_t i = 0; i < cut.frames.size(); ++i) CHECK(cut.frames[i].offset == i);
  }
}
