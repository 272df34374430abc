// The harness: interleaved rounds, medians, and the table.
#include "common.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

namespace benchmarks {
namespace {

struct Side {
  const Measure& measure;
  std::vector<double> seconds = {};
  bool failed = false;

  void round() {
    if (measure && !failed) {
      seconds.push_back(measure());
      failed = !(seconds.back() > 0);
    }
  }
  /// 0 if there is none.
  [[nodiscard]] double median() {
    if (seconds.empty() || failed) return 0;
    std::sort(seconds.begin(), seconds.end());
    return seconds[seconds.size() / 2];
  }
};

std::string readable(double seconds) {
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

/// What stands in the table for a floor or a peer.
std::string describe(const std::string& name, const Side& side, double median) {
  if (!side.measure) return name.empty() ? "-" : name + ": not there";
  return (name.empty() ? "" : name + (side.failed ? ": " : " ")) +
         (side.failed ? "could not be measured" : readable(median));
}

std::string ratio(double a, double b) {
  if (a <= 0 || b <= 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", a / b);
  return text;
}

/// What was wanted, and whether it was reached.
struct Verdict {
  std::string goal = {};
  bool missed = false;
  bool unknown = false;

  [[nodiscard]] const char* text() const {
    if (goal.empty()) return "";
    return missed ? "missed" : unknown ? "not known" : "met";
  }
};

std::string peer_name(const Row& row) { return row.peer_name.empty() ? "Python" : row.peer_name; }

Verdict judge(const Row& row, double ours, double floor, double peer) {
  Verdict verdict;
  char text[64];
  if (row.at_most_floor > 0) {
    std::snprintf(text, sizeof text, "<= %.2f x floor", row.at_most_floor);
    verdict = {text, floor > 0 && ours > row.at_most_floor * floor, !(floor > 0)};
  }
  if (row.at_least_peer > 0 && row.peer) {
    std::snprintf(text, sizeof text, "%s>= %.3g x %s", verdict.goal.empty() ? "" : ", ", row.at_least_peer,
                  peer_name(row).c_str());
    verdict = {verdict.goal + text, verdict.missed || (peer > 0 && peer < row.at_least_peer * ours),
               verdict.unknown || !(peer > 0)};
  }
  if (!(ours > 0)) verdict = {verdict.goal, !verdict.goal.empty()};
  return verdict;
}

}  // namespace

Settings read_settings(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) settings.quick = true;
    if (std::strcmp(argv[i], "--only") == 0 && i + 1 < argc) settings.only = argv[++i];
    if (std::strcmp(argv[i], "--plot") == 0 && i + 1 < argc) settings.plot = argv[++i];
  }
  return settings;
}

double seconds_of(int times, const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / times;
}

double seconds_if_done(int times, const std::function<bool()>& work) {
  bool done = true;
  const double seconds = seconds_of(times, [&] { done = done && work(); });
  return done ? seconds : 0;
}

void pause_between_calls() {
  std::this_thread::sleep_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(2));
}

int print_table(const std::vector<Row>& rows, const Settings& settings) {
  std::printf("%s\n", machine().c_str());
  std::printf("medians of interleaved rounds\n\n");
  std::printf("| work | ours | floor | peer | ours / floor | peer / ours | goal | |\n");
  std::printf("|---|---|---|---|---|---|---|---|\n");
  int missed = 0;
  for (const Row& row : rows) {
    if (row.work.find(settings.only) == std::string::npos) continue;
    Side ours{row.ours};
    Side floor{row.floor};
    Side peer{row.peer};
    const int rounds = settings.quick ? 1 : row.rounds;
    for (int round = 0; round < rounds; ++round) {
      // In turns: whoever comes after a peer finds its caches cold.
      (round % 2 == 0 ? ours : floor).round();
      (round % 2 == 0 ? floor : ours).round();
      if (round < 5) peer.round();  // their rounds are long
    }
    const double our_time = ours.median();
    const double floor_time = floor.median();
    const double peer_time = peer.median();
    const Verdict verdict = judge(row, our_time, floor_time, peer_time);
    missed += verdict.missed ? 1 : 0;
    const std::string named_peer = row.peer || !row.peer_name.empty() ? peer_name(row) : "";
    std::printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", row.work.c_str(),
                describe("", ours, our_time).c_str(), describe(row.floor_name, floor, floor_time).c_str(),
                describe(named_peer, peer, peer_time).c_str(), ratio(our_time, floor_time).c_str(),
                ratio(peer_time, our_time).c_str(), verdict.goal.c_str(), verdict.text());
    std::fflush(stdout);
  }
  return missed;
}

}  // namespace benchmarks
