// ctest: args=--quick timeout=300
// Starting processes and waiting for them: ours, the bare system calls, and Python, in one table.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common.hpp"

namespace mp = multiprocessing;
using namespace benchmarks;

namespace {

void nothing() {}
void wait_for_ever() { mp::connection::wait({mp::parent_process()->sentinel()}); }

/// Single starts of both sides take turns, as many as a median needs.
constexpr int starts = 151;

/// Start and join, by one start method.
Measure start_and_join(const char* method, int times = 1) {
  return [=] {
    auto& context = mp::get_context(method);
    return seconds_of(times, [&] {
      auto p = context.Process(nothing);
      p.start();
      p.join();
    });
  };
}

/// The same while this process has touched `bytes` more memory.
Measure with_memory(std::size_t bytes, Measure measure) {
  return [=] {
    std::vector<char> ballast(bytes);
    std::memset(ballast.data(), 1, ballast.size());
    return measure();
  };
}

Measure python(std::string script, std::string mode) {
  if (!python_seconds(script, mode)) return {};
  return [=] { return python_seconds(script, mode).value_or(0); };
}

/// Sentinels of one process that runs, and one that has ended.
class ManySentinels {
 public:
  explicit ManySentinels(int count) : running_(wait_for_ever), ended_(nothing) {
    running_.start();
    ended_.start();
    ended_.join();
    handles_ = copies_of_handle((long long)running_.sentinel().native(), count - 1);
    complete_ = handles_.size() + 1 == static_cast<std::size_t>(count);
    for (const auto handle : handles_)
      sentinels_.emplace_back(mp::NativeHandle((mp::NativeHandle::native_type)handle),
                              sentinels_.size() + (1u << 30));
    sentinels_.push_back(ended_.sentinel());
  }
  ManySentinels(const ManySentinels&) = delete;
  ManySentinels& operator=(const ManySentinels&) = delete;
  ~ManySentinels() {
    close_handles(handles_);
    running_.kill();
    running_.join();
  }

  [[nodiscard]] double ours(int times) const {
    return complete() ? seconds_of(times, [&] { mp::connection::wait(sentinels_); }) : 0;
  }
  [[nodiscard]] double bare(int times) const {
    auto handles = handles_;
    handles.push_back((long long)ended_.sentinel().native());
    return complete() ? seconds_of(times, [&] { bare_wait(handles); }) : 0;
  }

 private:
  /// The limit of open files may be lower.
  [[nodiscard]] bool complete() const { return complete_; }

  mp::Process running_;
  mp::Process ended_;
  std::vector<long long> handles_;
  std::vector<mp::Sentinel> sentinels_;
  bool complete_ = false;
};

/// The first wait for a list, before anything is kept for it.
Row first_wait(int count, const std::string& script) {
  return {.work = "wait on " + std::to_string(count) + " sentinels, first time",
          .ours = [=] { return ManySentinels(count).ours(1); },
          .floor = [=] { return ManySentinels(count).bare(1); },
          .floor_name = "poll",
          .peer = python(script, "wait" + std::to_string(count)),
          .at_most_floor = 1.5};
}

/// `goal`: ours in poll's; 0: none, where poll has no need to be beaten.
Row later_waits(int count, const std::string& script, double goal) {
  // Made with the row's first round: thousands of open handles make every start dearer.
  const auto made = std::make_shared<std::unique_ptr<ManySentinels>>();
  const auto many = [=]() -> ManySentinels& {
    if (*made == nullptr) *made = std::make_unique<ManySentinels>(count);
    return **made;
  };
  return {.work = "wait on " + std::to_string(count) + " sentinels, one ready, again and again",
          .ours = [=] { return many().ours(200); },
          .floor = [=] { return many().bare(200); },
          .floor_name = "poll",
          .peer = python(script, "wait" + std::to_string(count)),
          .at_most_floor = goal};
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  if (argc == 2 && std::strcmp(argv[1], "--end-at-once") == 0) return 0;
  if (argc == 3 && std::strcmp(argv[1], "--end-supervised") == 0) {
    end_supervised(std::atoi(argv[2]));
    return 0;
  }
  const auto settings = read_settings(argc, argv);
  const std::string self = own_path(argv[0]);
  const std::filesystem::path folder = std::filesystem::path(self).parent_path();
  const std::string script = MULTIPROCESSING_BENCHMARK_PEER;
  constexpr std::size_t gibibyte = std::size_t{1} << 30;

  std::vector<Row> rows;
  rows.push_back({.work = "spawn, start + join",
                  .ours = start_and_join("spawn"),
                  .floor = bare_spawn({self, "--end-at-once"}),
                  .floor_name = "posix_spawn of this program",
                  .peer = python(script, "spawn"),
                  .at_most_floor = 1.1,
                  .rounds = starts});
  rows.push_back({.work = "spawn, start + join",
                  .ours = start_and_join("spawn"),
                  .floor = bare_spawn({(folder / "benchmark_bare").string()}),
                  .floor_name = "posix_spawn of a program without the library",
                  .at_most_floor = 1.25,
                  .rounds = starts});
  if (const auto supervised = bare_supervised_spawn(self)) {
    rows.push_back({.work = "spawn, start + join",
                    .ours = start_and_join("spawn"),
                    .floor = supervised,
                    .floor_name = "the same with a channel, a record, a pidfd and a watching thread",
                    .rounds = starts});
    rows.push_back({.work = "the last floor against the one before",
                    .ours = supervised,
                    .floor = bare_spawn({self, "--end-at-once"}),
                    .floor_name = "posix_spawn of this program",
                    .rounds = starts});
  }
  rows.push_back({.work = "spawn from a parent with 1 GiB",
                  .ours = with_memory(gibibyte, start_and_join("spawn", 10)),
                  .floor = start_and_join("spawn", 10),
                  .floor_name = "ours from a small parent",
                  .at_most_floor = 1.08});
  if (const auto fork = bare_fork()) {
    rows.push_back({.work = "fork, start + join",
                    .ours = start_and_join("fork"),
                    .floor = fork,
                    .floor_name = "fork + waitpid",
                    .peer = python(script, "fork"),
                    .at_most_floor = 1.5,
                    .rounds = starts});
    rows.push_back({.work = "fork, start + join",
                    .ours = start_and_join("fork"),
                    .floor = bare_supervised_fork(),
                    .floor_name = "the same with a channel, a pidfd and a watching thread",
                    .rounds = starts});
    rows.push_back({.work = "the last floor against the one before",
                    .ours = bare_supervised_fork(),
                    .floor = fork,
                    .floor_name = "fork + waitpid",
                    .rounds = starts});
    rows.push_back({.work = "forkserver, start + join",
                    .ours = start_and_join("forkserver"),
                    .floor = bare_zygote(),
                    .floor_name = "a bare process that forks when asked",
                    .peer = python(script, "forkserver"),
                    .at_most_floor = 1.3,
                    .at_least_peer = 35,
                    .rounds = starts});
    if (const auto supervised = bare_supervised_zygote()) {
      rows.push_back({.work = "forkserver, start + join",
                      .ours = start_and_join("forkserver"),
                      .floor = supervised,
                      .floor_name = "the same with a channel, a record, a pidfd that travels, a watching "
                                    "thread and a word about the end",
                      .rounds = starts});
      rows.push_back({.work = "the last floor against the one before",
                      .ours = supervised,
                      .floor = bare_zygote(),
                      .floor_name = "a bare process that forks when asked",
                      .rounds = starts});
    }
    rows.push_back(first_wait(10, script));
    rows.push_back(first_wait(1000, script));
    rows.push_back(later_waits(10, script, 0));
    rows.push_back(later_waits(100, script, 0));
    rows.push_back(later_waits(1000, script, 0.2));
    rows.push_back(later_waits(10000, script, 0.2));
  }
  const int missed = print_table(rows, settings);
  std::printf("\n%d goals missed\n", missed);
}
