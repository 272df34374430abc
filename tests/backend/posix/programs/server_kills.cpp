// ctest: args=--count=20 timeout=300
// Kills fork servers at random moments while threads start children by them: each child runs once and its
// result arrives, and in the end nothing is left of servers and children but the server in use. Exit status 0
// if so. --count=N kills.
#include <multiprocessing/multiprocessing.hpp>

#include <signal.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "contract/capabilities.hpp"
#include "contract/process.hpp"
#include "test_support/figures.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

namespace {

/// In a fork server and its children: which server that is.
int pid_of_server = 0;
void note_server() { pid_of_server = mp::platform::current_pid(); }

mp::Context& forkserver() { return mp::get_context("forkserver"); }

/// What a child does: says that it runs, and answers by which server.
std::pair<int, int> run_once(mp::Connection& end, int number) {
  end.send(number);
  return {number, pid_of_server};
}

/// What the killer and those who start children know of each other.
struct Shared {
  std::atomic<int> kills{0};
  std::atomic<bool> done{false};
};

/// Starts one child after the other.
class Starter {
 public:
  explicit Starter(const Shared& shared) : shared_(shared) {}

  void run() {
    auto [ours, theirs] = mp::Pipe();
    while (!shared_.done) {
      const int kills = shared_.kills;
      if (!start_one(ours, theirs)) ++wrong_;
      ++children_;
      seen_kills_ = kills;
    }
    if (ours.poll()) ++wrong_;  // somebody ran again
  }

  /// The server of the last child if it was started behind that kill, and so nobody has killed it; else 0.
  [[nodiscard]] int server_since(int kills) const { return seen_kills_ == kills ? server_.load() : 0; }
  [[nodiscard]] int children() const { return children_; }
  [[nodiscard]] int wrong() const { return wrong_; }

 private:
  bool start_one(mp::Connection& ours, mp::Connection& theirs) try {
    const auto [number, server] = forkserver().call(&run_once, theirs, children_);
    server_ = server;
    return number == children_ && ours.recv<int>() == children_ && !ours.poll();
  } catch (const std::exception& error) {
    std::printf("child %d: %s\n", children_, error.what());
    server_ = 0;
    return false;
  }

  const Shared& shared_;
  int children_ = 0;
  int wrong_ = 0;
  std::atomic<int> server_{0};
  std::atomic<int> seen_kills_{-1};
};

/// Each kill comes when every starter has had a child of the server that is killed: so no start meets more
/// than the one.
void kill_servers(int count, Shared& shared, const std::array<Starter, 2>& starters) {
  std::minstd_rand random(static_cast<unsigned>(count));
  for (int kills = 0; kills < count; shared.kills = ++kills) {
    for (const auto& starter : starters)
      while (starter.server_since(kills) == 0) std::this_thread::yield();
    const int victim = starters.front().server_since(kills);
    for (auto turns = random() % 3000; turns > 0; --turns) std::this_thread::yield();  // a random moment
    kill(victim, SIGKILL);
  }
  shared.done = true;
}

bool run(int count) {
  mp::set_forkserver_preload(&note_server);
  forkserver().call([] {});
  std::thread([] {}).join();  // a thread sanitizer has one of its own from then on
  const auto before = mp::test_support::settled_holdings();
  const int children_before = mp::test_support::child_count().value_or(0);
  const auto begun = std::chrono::steady_clock::now();
  Shared shared;
  std::array starters = {Starter(shared), Starter(shared)};
  {
    std::array threads = {std::thread([&] { starters[0].run(); }), std::thread([&] { starters[1].run(); })};
    kill_servers(count, shared, starters);
    for (auto& thread : threads) thread.join();
  }
  forkserver().call([] {});  // there is a server again
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  const int wrong = starters[0].wrong() + starters[1].wrong();
  const bool returned = mp::test_support::returns_to(before);
  const bool children_gone = mp::test_support::eventually(
      [&] { return mp::test_support::child_count().value_or(0) <= children_before; });
  std::printf("%d servers killed under %d children of 2 threads in %.1f s: %d lost, doubled or wrong; %s\n",
              count, starters[0].children() + starters[1].children(), took.count(), wrong,
              returned && children_gone ? "nothing left" : "handles, threads or processes left");
  return count > 0 && wrong == 0 && returned && children_gone && mp::active_children().size() <= 1;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  figures::use_launcher(argv[0]);
  const auto able = mp::platform::capabilities();
  if (!able.child_handover || !able.exact_sentinels) return 77;  // there a child ends with its server
  return mp::test_support::verdict(run(figures::count_argument(argc, argv)) ? 0 : 1);
}
