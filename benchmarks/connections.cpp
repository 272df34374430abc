// ctest: args=--quick timeout=300
// Messages through a Pipe to a child and back: ours, a blocking socket, and Python, in one table.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "common.hpp"
#include "peers.hpp"
#include "pipes.hpp"

namespace mp = multiprocessing;
using namespace benchmarks;

namespace {

/// The first round is not counted: it touches the memory.
void answer(mp::Connection connection, int times, bool back) {
  for (int i = -1; i < times; ++i) {
    const auto message = connection.recv_bytes();
    if (back)
      connection.send_bytes(message);
    else if (i == -1 || i + 1 == times)
      connection.send_bytes("x");
  }
}

Measure ours(std::size_t size, int times, Way way) {
  return [=] {
    const bool back = way == Way::round_trip;
    auto [connection, theirs] = mp::Pipe();
    mp::Process child(answer, theirs, times, back);
    child.start();
    theirs.close();
    const std::vector<std::byte> message(size, std::byte{'x'});
    const auto once = [&, &pipe = connection](bool answered) {
      pipe.send_bytes(message);
      if (back || answered) pipe.recv_bytes();
    };
    once(true);
    int done = 0;
    const double seconds = seconds_of(times, [&] { once(++done == times); });
    child.join();
    return seconds;
  };
}

Measure python(std::size_t size, int times, Way way, bool pinned) {
  const auto folder = std::filesystem::path(MULTIPROCESSING_BENCHMARK_PEER).parent_path();
  const auto script = (folder / "peer_connections.py").string();
  const auto mode = "pipe " + std::to_string(size) + " " + std::to_string(times) +
                    (way == Way::round_trip ? " round" : " one") + (pinned ? " pinned" : "");
  if (!python_seconds(script, mode)) return {};
  return [=] { return python_seconds(script, mode).value_or(0); };
}

Row row(const std::string& name, std::size_t size, int times, Way way) {
  return {.work = name,
          .ours = ours(size, times, way),
          .floor = bare_socket(size, times, way),
          .floor_name = "blocking socket",
          .peer = python(size, times, way, false)};
}

/// The same beside MPI, whose ranks look for messages without a pause.
Row beside_mpi(const std::string& name, std::size_t size, int times, Way way) {
  return {.work = name,
          .ours = ours(size, times, way),
          .peer = mpi(2, "pipe " + std::to_string(size) + " " + std::to_string(times) +
                             (way == Way::round_trip ? " round" : " one")),
          .peer_name = "OpenMPI"};
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  const auto settings = read_settings(argc, argv);
  constexpr std::size_t mebibyte = std::size_t{1} << 20;
  const int short_ones = settings.quick ? 100 : 5000;
  const int long_ones = settings.quick ? 3 : 50;
  std::vector<Row> rows;
  rows.push_back(row("Pipe, 1 B there and back", 1, short_ones, Way::round_trip));
  rows.back().at_most_floor = 0.4;
  if (const auto sleepless = bare_framed_socket_without_sleep(1, short_ones)) {
    rows.push_back({.work = "Pipe, 1 B there and back",
                    .ours = ours(1, short_ones, Way::round_trip),
                    .floor = sleepless,
                    .floor_name = "the same with a length in front, read without sleep"});
    rows.push_back({.work = "the last floor against the one before",
                    .ours = sleepless,
                    .floor = bare_socket(1, short_ones, Way::round_trip),
                    .floor_name = "blocking socket"});
  }
  if (const auto floor = on_one_processor(bare_socket(1, short_ones, Way::round_trip))) {
    const auto framed = on_one_processor(bare_framed_socket(1, short_ones));
    const auto ours_there = on_one_processor(ours(1, short_ones, Way::round_trip));
    constexpr auto framed_name = "the same with a length in front";
    rows.push_back({.work = "the same on one processor",
                    .ours = ours_there,
                    .floor = floor,
                    .floor_name = "blocking socket",
                    .peer = python(1, short_ones, Way::round_trip, true),
                    .at_most_floor = 1.15});
    rows.push_back({.work = "the same on one processor",
                    .ours = ours_there,
                    .floor = framed,
                    .floor_name = framed_name});
    rows.push_back({.work = "the last floor against the one before",
                    .ours = framed,
                    .floor = floor,
                    .floor_name = "blocking socket"});
  }
  rows.push_back(row("Pipe, 1 MiB there and back", mebibyte, long_ones, Way::round_trip));
  rows.back().at_least_peer = 4;
  rows.push_back(row("Pipe, 16 MiB one way", 16 * mebibyte, long_ones / 3, Way::one_way));
  rows.back().at_least_peer = 3;
  rows.push_back(beside_mpi("Pipe, 1 B there and back", 1, short_ones, Way::round_trip));
  rows.push_back(beside_mpi("Pipe, 1 MiB there and back", mebibyte, long_ones, Way::round_trip));
  rows.push_back(beside_mpi("Pipe, 16 MiB one way", 16 * mebibyte, long_ones / 3, Way::one_way));
  const int missed = print_table(rows, settings);
  std::printf("\n%d goals missed\n", missed);
}
