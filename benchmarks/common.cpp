// The harness: interleaved rounds, medians, and the table.
#include "common.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace benchmarks {
namespace {

struct Side {
  const Measure& measure;
  std::vector<double> seconds = {};

  void round() {
    if (measure) seconds.push_back(measure());
  }
  [[nodiscard]] double median() {
    if (seconds.empty()) return 0;
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  }
};

std::string readable(double seconds) {
  if (seconds <= 0) return "-";
  const char* unit = "s";
  for (const char* smaller : {"ms", "us", "ns"})
    if (seconds < 1) {
      seconds *= 1000;
      unit = smaller;
    }
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %s", seconds, unit);
  return text;
}

std::string ratio(double a, double b) {
  if (a <= 0 || b <= 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", a / b);
  return text;
}

/// What was wanted, and whether it was reached.
struct Verdict {
  std::string goal;
  bool missed = false;
};

Verdict judge(const Row& row, double ours, double floor, double peer) {
  Verdict verdict;
  char text[64];
  if (row.at_most_floor > 0) {
    std::snprintf(text, sizeof text, "<= %.2f x floor", row.at_most_floor);
    verdict = {text, ours > row.at_most_floor * floor};
  }
  if (row.at_least_peer > 0 && peer > 0) {
    std::snprintf(text, sizeof text, "%s>= %.0f x Python", verdict.goal.empty() ? "" : ", ",
                  row.at_least_peer);
    verdict = {verdict.goal + text, verdict.missed || peer < row.at_least_peer * ours};
  }
  return verdict;
}

}  // namespace

Settings read_settings(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--quick") == 0) settings.quick = true;
  return settings;
}

double seconds_of(int times, const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / times;
}

int print_table(const std::vector<Row>& rows, const Settings& settings) {
  std::printf("%s\n", machine().c_str());
  std::printf("medians of interleaved rounds\n\n");
  std::printf("| work | ours | floor | Python | ours / floor | Python / ours | goal | |\n");
  std::printf("|---|---|---|---|---|---|---|---|\n");
  int missed = 0;
  for (const Row& row : rows) {
    Side ours{row.ours};
    Side floor{row.floor};
    Side peer{row.peer};
    const int rounds = settings.quick ? 1 : row.rounds;
    for (int round = 0; round < rounds; ++round) {
      ours.round();
      floor.round();
      if (round < 5) peer.round();  // Python's rounds are long, and its figures far from any goal
    }
    const double our_time = ours.median();
    const double floor_time = floor.median();
    const double peer_time = peer.median();
    const Verdict verdict = judge(row, our_time, floor_time, peer_time);
    missed += verdict.missed ? 1 : 0;
    const std::string floor_text =
        row.floor_name.empty() ? readable(floor_time) : row.floor_name + " " + readable(floor_time);
    std::printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", row.work.c_str(), readable(our_time).c_str(),
                floor_text.c_str(), readable(peer_time).c_str(), ratio(our_time, floor_time).c_str(),
                ratio(peer_time, our_time).c_str(), verdict.goal.c_str(),
                verdict.goal.empty() ? ""
                : verdict.missed     ? "missed"
                                     : "met");
    std::fflush(stdout);
  }
  return missed;
}

}  // namespace benchmarks
