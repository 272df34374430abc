// ctest: timeout=240 cost=20
// The fork server as the system sees it: what it holds, what its children get of it, and what becomes of them
// and of starts under way when it is stopped or killed, or when its owner is.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <multiprocessing/multiprocessing.hpp>

#include <fcntl.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <future>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"

namespace backend_forkserver {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::eventually;
using mp::test_support::LeakCheck;

mp::Context& forkserver() { return mp::get_context("forkserver"); }

int one() { return 1; }
int parent_of_child() { return static_cast<int>(getppid()); }
void wait_for_ever() { mp::connection::wait({mp::parent_process()->sentinel()}); }
void wait_for_number(mp::Connection end) { mp::exit(end.recv<int>()); }
int server() { return forkserver().call(parent_of_child); }
bool exists(int pid) { return kill(pid, 0) == 0; }

/// Those of this process above the standard streams; where there is such a list.
std::vector<int> descriptors_of(const std::string& process) {
  std::vector<int> found;
  const std::filesystem::path folder = "/proc/" + process + "/fd";
  if (!std::filesystem::exists(folder)) return found;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (const int fd = std::stoi(entry.path().filename().string()); fd > 2) found.push_back(fd);
  return found;
}

int sockets() {
  int count = 0;
  for (int fd = 3; fd < 512; ++fd) {
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0) ++count;
  }
  return count;
}

int count_of_servers_descriptors() {
  return static_cast<int>(descriptors_of(std::to_string(getppid())).size());
}

/// Without them threads of the server wait for its children, and those count as ended when it has.
bool exact_sentinels() { return mp::platform::capabilities().exact_sentinels; }
bool children_end_with_server() {
  if (exact_sentinels()) return false;
  mp::test_support::skip("without exact sentinels a child counts as ended when its server has");
  return true;
}

/// Stops a process as long as it lives.
class Stopped {
 public:
  explicit Stopped(int pid) : pid_(pid) { kill(pid_, SIGSTOP); }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;
  ~Stopped() { kill(pid_, SIGCONT); }

 private:
  int pid_;
};

/// As a function to be preloaded it is more than a channel holds.
struct Heavy {
  std::vector<char> ballast;
  void operator()() const {}
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballast);
  }
};

/// Starts that wait in threads of their own, until each is told to stop.
class Starters {
 public:
  explicit Starters(int count) : sources_(static_cast<std::size_t>(count)) {
    for (auto& source : sources_)
      starts_.push_back(std::async(std::launch::async, [this, &source] {
        auto p = forkserver().Process(one);
        ++begun_;
        CHECK_THROWS_AS(p.start(source.token()), mp::CancelledError);
        CHECK_FALSE(p.pid());
      }));
    while (begun_ < count) std::this_thread::yield();
    std::this_thread::sleep_for(20ms);  // most likely the first is at it and the others wait for him
  }
  Starters(const Starters&) = delete;
  Starters& operator=(const Starters&) = delete;
  ~Starters() {
    for (auto& source : sources_) source.request_stop();
  }

  /// The last one first, so that it is not the one that is at it. False if one does not stop by itself.
  [[nodiscard]] bool each_stops() {
    for (std::size_t i = starts_.size(); i-- > 0;) {
      sources_[i].request_stop();
      if (starts_[i].wait_for(20s) != std::future_status::ready) return false;
    }
    return true;
  }

 private:
  std::vector<mp::StopSource> sources_;
  std::atomic<int> begun_{0};
  std::vector<std::future<void>> starts_;
};

TEST_SUITE("backend.forkserver") {
  TEST_CASE("children are the server's, which has no threads; it is one process for all of them") {
    const int pid = server();
    CHECK(pid != getpid());
    CHECK(server() == pid);
    const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
    if (!std::filesystem::exists(tasks) || !exact_sentinels()) return;
    CHECK(std::distance(std::filesystem::directory_iterator(tasks), {}) == 1);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child gets its own channel, and nothing of its siblings or of its parent") {
    std::vector<mp::Process> others;
    for (int i = 0; i < 5; ++i) {
      others.push_back(forkserver().Process(
          mp::ProcessOptions{.standard_input = mp::Stdio::pipe, .standard_output = mp::Stdio::pipe},
          wait_for_ever));
      others.back().start();
    }
    const int unguarded = open("/dev/null", O_RDONLY);  // not close-on-exec
    CHECK(forkserver().call(sockets) == 1);
    close(unguarded);
    // Its end of the standard stream is the only one: so it ends with it.
    for (auto& other : others) {
      other.kill();
      CHECK(other.standard_output().read_all().empty());
      other.join();
      CHECK(other.exitcode() == -SIGKILL);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "the server keeps nothing of children that have ended") {
    const int before = forkserver().call(count_of_servers_descriptors);
    std::vector<mp::Process> processes;
    for (int i = 0; i < 20; ++i) {
      processes.push_back(forkserver().Process(
          mp::ProcessOptions{.standard_input = mp::Stdio::pipe, .standard_error = mp::Stdio::null}, one));
      processes.back().start();
    }
    for (auto& p : processes) p.join();
    for (int i = 0; i < 50; ++i) CHECK(forkserver().call(one) == 1);
    CHECK(eventually([&] { return forkserver().call(count_of_servers_descriptors) == before; }));
  }

  TEST_CASE("an interrupt passes by the server, and ends a child") {
    const int pid = server();
    auto p = forkserver().Process(wait_for_ever);
    p.start();
    REQUIRE(kill(pid, SIGINT) == 0);
    p.interrupt();
    p.join();
    CHECK(p.exitcode() == -SIGINT);
    CHECK(server() == pid);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a server that was killed is replaced at the next start") {
    for (const int signal : {SIGKILL, SIGTERM}) {
      const int pid = server();
      REQUIRE(kill(pid, signal) == 0);
      CHECK(forkserver().call(one) == 1);
      CHECK(server() != pid);
      CHECK(eventually([&] {
        static_cast<void>(forkserver().call(one));
        return !exists(pid);  // reaped
      }));
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a child outlives its server; what it tells is heard, its code is not known") {
    if (children_end_with_server()) return;
    auto [ours, theirs] = mp::Pipe();
    auto [to_thrower, throwers] = mp::Pipe();
    auto p = forkserver().Process(wait_for_number, theirs);
    auto thrower = forkserver().Process(
        mp::ProcessOptions{.standard_error = mp::Stdio::null},
        [](mp::Connection end) { throw std::out_of_range(std::to_string(end.recv<int>())); }, throwers);
    auto killed = forkserver().Process(wait_for_ever);
    for (auto* each : {&p, &thrower, &killed}) each->start();
    theirs.close();
    throwers.close();
    REQUIRE(kill(server(), SIGKILL) == 0);
    CHECK(forkserver().call(one) == 1);
    for (auto* each : {&p, &thrower, &killed}) CHECK(each->is_alive());
    CHECK_FALSE(p.join(1ms));
    ours.send(3);
    to_thrower.send(3);
    killed.kill();
    for (auto* each : {&p, &thrower, &killed}) {
      each->join();
      CHECK(each->exitcode() == 255);
      CHECK(each->exit_kind() == mp::ExitKind::unknown);
    }
    CHECK(thrower.exception());
    CHECK_FALSE(p.exception());
  }

  TEST_CASE("a result arrives although the server was killed meanwhile") {
    if (children_end_with_server()) return;
    auto [ours, theirs] = mp::Pipe();
    auto future = forkserver().call_async([](mp::Connection end) { return end.recv<int>() + 1; }, theirs);
    theirs.close();
    REQUIRE(kill(server(), SIGKILL) == 0);
    ours.send(4);
    CHECK(future.result(30s) == 5);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a start that waits for a stopped server gives up when it is told to") {
    const int pid = server();
    const Stopped stopped(pid);
    CHECK_THROWS_AS(forkserver().run_with_timeout(20ms, one), mp::TimeoutError);
    mp::StopSource source;
    std::thread later([&] { source.request_stop(); });
    auto p = forkserver().Process(one);
    CHECK_THROWS_AS(p.start(source.token()), mp::CancelledError);
    later.join();
    CHECK_FALSE(p.pid());
    CHECK(mp::active_children().empty());
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "who waits behind another for a stopped server gives up when told to, and in time") {
    const int pid = server();
    {
      const Stopped stopped(pid);
      // Errands that nobody fetches fill the channel: the next to send one waits.
      for (int i = 0; i < 1'000; ++i)
        CHECK_THROWS_AS(forkserver().run_with_timeout(1ms, one), mp::TimeoutError);
      Starters starters(4);
      CHECK_THROWS_AS(forkserver().run_with_timeout(1ms, one), mp::TimeoutError);
      CHECK(starters.each_stops());
    }
    CHECK(forkserver().call(one) == 1);
    CHECK(mp::active_children().empty());
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "who waits for a server that another starts gives up when told to, and in time") {
    struct Restore {
      ~Restore() {
        mp::set_executable("");
        mp::set_forkserver_preload();
      }
    } const restore;
    mp::set_forkserver_preload(Heavy{std::vector<char>(std::size_t{4} << 20)});
    mp::set_executable("", {"/bin/sh", "-c", "exec sleep 3600"});  // it never reads what it shall be
    Starters starters(4);
    CHECK_THROWS_AS(forkserver().run_with_timeout(1ms, one), mp::TimeoutError);
    CHECK(starters.each_stops());
  }

  TEST_CASE_FIXTURE(LeakCheck, "while a stopped server owes the word of one child, nobody waits for others") {
    if (children_end_with_server()) return;
    const int pid = server();
    auto [ours, theirs] = mp::Pipe();
    auto other = mp::get_context("spawn").Process(wait_for_number, theirs);
    other.start();
    theirs.close();
    auto owed = forkserver().Process(wait_for_ever);
    owed.start();
    std::thread waits;
    std::atomic<bool> known{false};
    {
      const Stopped stopped(pid);
      REQUIRE(kill(owed.pid().value(), SIGKILL) == 0);
      CHECK(mp::connection::wait({owed.sentinel()}, 60s).size() == 1);
      waits = std::thread([&] {
        owed.join();
        known = true;
      });
      CHECK_FALSE(owed.is_alive());
      CHECK(mp::active_children().size() == 1);
      mp::ForkProcess forked([] { mp::exit(7); });
      forked.start();
      forked.join();
      CHECK(forked.exitcode() == 7);
      CHECK(other.is_alive());
      ours.send(8);
      other.join();
      CHECK(other.exitcode() == 8);
      CHECK_FALSE_MESSAGE(known, "it was told, or given up, before the others were done");
    }
    waits.join();
    CHECK(owed.exitcode() == -SIGKILL);
    CHECK(mp::active_children().empty());
  }

  TEST_CASE_FIXTURE(LeakCheck, "what a stopped server does not tell is given up after a while") {
    if (children_end_with_server()) return;
    const int pid = server();
    auto first = forkserver().Process(wait_for_ever);
    auto second = forkserver().Process(wait_for_ever);
    first.start();
    second.start();
    auto future = forkserver().call_async(wait_for_ever);
    REQUIRE(mp::active_children().size() == 3);
    {
      const Stopped stopped(pid);
      for (auto& each : mp::active_children()) each.kill();
      CHECK_FALSE(first.join(1ms));
      first.join();
      CHECK(first.exit_kind() == mp::ExitKind::unknown);
      CHECK(second.exitcode() == 255);
      CHECK_THROWS_AS(future.result(), mp::ProcessExitedException);
    }
    CHECK(forkserver().call(one) == 1);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a start that was under way when the server died has another one") {
    const int pid = server();
    mp::Process p = forkserver().Process(one);
    {
      const Stopped stopped(pid);
      std::atomic<bool> begins{false};
      std::thread starter([&] {
        begins = true;
        p.start();
      });
      while (!begins) std::this_thread::yield();
      std::this_thread::sleep_for(20ms);  // most likely it waits for its answer; if not, it is to work too
      REQUIRE(kill(pid, SIGKILL) == 0);
      starter.join();
    }
    p.join();
    CHECK(p.exitcode() == 0);
    CHECK(server() != pid);
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "each child of servers that are killed at random moments runs once, or is retried") {
    if (children_end_with_server()) return;
    constexpr int count = 60;
    auto [ours, theirs] = mp::Pipe();
    std::atomic<int> victim{0};
    std::atomic<bool> done{false};
    int kills = 0;
    std::thread killer([&] {
      std::mt19937 random(20260102);
      while (!done) {
        const int pid = victim.exchange(0);
        if (pid == 0) {
          std::this_thread::yield();
          continue;
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));  // a random moment
        if (kill(pid, SIGKILL) == 0) ++kills;
      }
    });
    for (int i = 0; i < count; ++i) {
      const auto told = forkserver().call(
          [](mp::Connection end, int number) {
            end.send(number);
            return std::pair(number, static_cast<int>(getppid()));
          },
          theirs, i);
      CHECK(told.first == i);
      if (told.second != 1) victim = told.second;  // 1: its server was dead already
    }
    done = true;
    killer.join();
    std::map<int, int> runs;
    for (int i = 0; i < count; ++i) ++runs[ours.recv<int>()];
    for (int i = 0; i < count; ++i) CHECK(runs[i] == 1);
    CHECK_FALSE(ours.poll());
    MESSAGE(kills, " servers killed");
    CHECK(kills > 0);
    CHECK(forkserver().call(one) == 1);
  }

  TEST_CASE("when the owner is killed its server and its children are gone, but for one that is to go on") {
    auto [ours, theirs] = mp::Pipe();
    mp::ForkProcess owner([end = &theirs, other = &ours] {
      other->close();
      auto ends = forkserver().Process(wait_for_ever);
      ends.start();
      auto goes_on = forkserver().Process(
          mp::ProcessOptions{.on_parent_death = mp::OnParentDeath::keep_running},
          [](mp::Connection to_test) {
            to_test.send(static_cast<int>(getpid()));
            to_test.send(to_test.recv<int>() + 1);
          },
          *end);
      goes_on.start();
      end->send(std::vector{ends.pid().value(), server()});
      wait_for_ever();
    });
    owner.start();
    theirs.close();
    std::vector<int> pids;
    int survivor = 0;
    // Two processes write: in any order.
    for (int i = 0; i < 2; ++i) {
      const auto message = ours.recv_bytes();
      if (message.empty()) break;
      auto [again, copy] = mp::Pipe();
      copy.send_bytes(message);
      try {
        pids = again.recv<std::vector<int>>();
      } catch (const mp::TypeError&) {
        copy.send_bytes(message);
        survivor = again.recv<int>();
      }
    }
    REQUIRE(pids.size() == 2);
    owner.kill();
    owner.join();
    CHECK(eventually([&] { return !exists(pids[0]); }));
    // Without sentinels the server sees that it is not wanted any more, and waits for the child that goes on.
    if (exact_sentinels()) CHECK(eventually([&] { return !exists(pids[1]); }));
    CHECK(exists(survivor));
    ours.send(41);
    CHECK(ours.recv<int>() == 42);
    CHECK(eventually([&] { return !exists(survivor); }));
  }

  TEST_CASE("a fork of the application's own has another server") {
    const int pid = server();
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t copy = fork();
    if (copy == 0) {
      int other = 0;
      try {
        other = server();
      } catch (...) {
      }
      static_cast<void>(!write(ends[1], &other, sizeof other));
      _exit(0);
    }
    int other = 0;
    CHECK(read(ends[0], &other, sizeof other) == static_cast<ssize_t>(sizeof other));
    CHECK(waitpid(copy, nullptr, 0) == copy);
    CHECK(other != 0);
    CHECK(other != pid);
    CHECK(server() == pid);
    CHECK(eventually([&] { return !exists(other); }));
    close(ends[0]);
    close(ends[1]);
  }

  TEST_CASE("a program that ends leaves no server behind") {
    const int pid =
        mp::get_context("spawn").call([] { return mp::get_context("forkserver").call(parent_of_child); });
    CHECK(pid != server());
    CHECK(eventually([&] { return !exists(pid); }));
  }
}

}  // namespace backend_forkserver
