// ctest: args=--count=10 timeout=300
// Kills a process that has children and grandchildren, and in every other round pools at work by each start
// method, at a random moment, again and again. All of its descendants hold its standard output: when that
// ends, none is left. Each of them also says who it is, so that those that are left can be counted. Children
// with keep_running hold another output, and prove that they live on. Exit status 0 if every root grew the
// family that was asked for and died of the kill, and none was left in any round; --judge-times demands it
// within a second.
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "test_support/family.hpp"
#include "test_support/figures.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using family::Output;
using family::tell;

namespace {

void wait_quietly_for_ever() { mp::connection::wait({mp::parent_process()->sentinel()}); }

void wait_for_ever() {
  tell("leaf");
  wait_quietly_for_ever();
}

/// Starts a grandchild by each method, and waits.
void branch() {
  tell("branch");
  std::vector<mp::Process> children;
  for (const auto& method : mp::get_all_start_methods()) {
    children.push_back(mp::get_context(method).Process(wait_for_ever));
    children.back().start();
  }
  for (auto& child : children) child.join();
}

void be_busy(int milliseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (std::chrono::steady_clock::now() < end) continue;
}

constexpr int workers_of_a_pool = 2;

/// Has workers by each method, which are at work until the end: with short tasks and with one that has none.
void work_with_pools() {
  std::vector<mp::Pool> pools;
  for (const auto& method : mp::get_all_start_methods())
    pools.push_back(
        mp::get_context(method).Pool(workers_of_a_pool, {.initializer = {[] { tell("worker"); }}}));
  std::vector<mp::AsyncResult<void>> endless;
  for (auto& pool : pools) endless.push_back(pool.apply_async(wait_quietly_for_ever));
  for (;;)
    for (auto& pool : pools) pool.map(be_busy, std::vector<int>(8, 1), 1);
}

/// The one that is killed.
void root(bool with_pools) {
  tell("root");
  std::vector<mp::Process> children;
  for (const auto& method : mp::get_all_start_methods()) {
    children.push_back(mp::get_context(method).Process(branch));
    children.back().start();
  }
  if (with_pools) work_with_pools();
  for (auto& child : children) child.join();
}

struct Round {
  std::chrono::duration<double> took{};  ///< from the kill to the end of the last descendant
  int left = 0;                          ///< descendants that still run
  bool as_planned = true;                ///< the family grew, and its root died of the kill
};

/// Lets some of the family come into being, then kills its root.
Round one_round(std::mt19937& random, bool with_pools) {
  mp::SpawnProcess p(
      mp::ProcessOptions{.standard_output = mp::Stdio::pipe, .standard_error = mp::Stdio::null}, root,
      with_pools);
  p.start();
  Output output(p.standard_output());
  const auto methods = static_cast<std::ptrdiff_t>(mp::get_all_start_methods().size());
  const auto workers = with_pools ? methods * workers_of_a_pool : 0;
  const auto family = 1 + methods + methods * methods + workers;
  const auto wanted = std::uniform_int_distribution<std::ptrdiff_t>(0, family)(random);
  Round round;
  round.as_planned = output.reach(wanted);
  const auto killed = std::chrono::steady_clock::now();
  p.kill();
  // One that was killed before it could say who it is holds the output, too, and counts as one.
  if (!output.reach_end()) round.left = std::max(1, output.running());
  round.took = std::chrono::steady_clock::now() - killed;
  p.join();
  if (p.exitcode() != -9) {
    std::printf("the root ended by itself: %s\n", p.exit_reason().c_str());
    round.as_planned = false;
  }
  return round;
}

/// Goes on after its parent's death, and says so.
void survivor(std::string proof) {
  try {
    mp::connection::wait({mp::parent_process()->sentinel()}, 60s, mp::stop_token());
  } catch (const mp::CancelledError&) {
  }
  if (std::FILE* file = std::fopen(proof.c_str(), "w")) std::fclose(file);
}

void parent_of_survivor(std::string proof) {
  mp::SpawnProcess p(mp::ProcessOptions{.standard_error = mp::Stdio::null,
                                        .on_parent_death = mp::OnParentDeath::keep_running},
                     survivor, proof);
  p.start();
  tell("ready");
  p.join();
}

/// Whether a keep_running child did something after its parent was killed.
bool survivor_lives() {
  const std::string proof = "mp_survivor_proof";
  std::remove(proof.c_str());
  mp::SpawnProcess p(mp::ProcessOptions{.standard_output = mp::Stdio::pipe}, parent_of_survivor, proof);
  p.start();
  Output output(p.standard_output());
  const bool ready = output.reach(1);
  p.kill();
  const bool ended = output.reach_end();  // the survivor's end
  p.join();
  const bool lived = std::remove(proof.c_str()) == 0 && ready && ended && p.exitcode() == -9;
  std::printf("a keep_running child %s its parent's death\n", lived ? "outlived" : "did not outlive");
  return lived;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  figures::use_launcher(argv[0]);
  const int count = figures::count_argument(argc, argv);
  std::mt19937 random(20260101);
  std::vector<double> seconds;
  int left = 0;
  int astray = 0;
  for (int i = 0; i < count; ++i) {
    const Round round = one_round(random, i % 2 == 1);
    seconds.push_back(round.took.count());
    left += round.left;
    if (!round.as_planned) ++astray;
  }
  std::sort(seconds.begin(), seconds.end());
  const double worst = seconds.empty() ? 0 : seconds.back();
  const auto late = std::count_if(seconds.begin(), seconds.end(), [](double each) { return each > 1; });
  std::printf(
      "%d parents killed, %d not as planned: descendants left %d, median %.0f ms, worst %.0f ms, after more "
      "than 1 s: %td\n",
      count, astray, left, seconds.empty() ? 0 : seconds[seconds.size() / 2] * 1000, worst * 1000, late);
  const bool lived = survivor_lives();
  const bool in_time = late == 0 || !figures::judged_by_time(argc, argv);
  return mp::test_support::verdict(count > 0 && left == 0 && astray == 0 && lived && in_time ? 0 : 1);
}
