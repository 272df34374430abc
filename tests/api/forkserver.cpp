// What is the fork server's own: functions that it runs before it serves, an owner with many threads, and
// what its children share and do not share. Everything else runs beside the other start methods.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/start_methods.hpp"

namespace api_forkserver {

namespace mp = multiprocessing;
using mp::test_support::LeakCheck;

bool skipped() {
  for (const std::string& method : mp::get_all_start_methods())
    if (method == "forkserver") return false;
  mp::test_support::skip("this system does not fork");
  return true;
}

mp::Context& forkserver() { return mp::get_context("forkserver"); }

/// Takes away what a test preloaded.
struct NoPreload {
  ~NoPreload() { mp::set_forkserver_preload(); }
};

int runs = 0;
std::vector<int> table;
void make_table() {
  ++runs;
  table.resize(1000);
  std::iota(table.begin(), table.end(), 1);
}
void double_table() {
  for (int& each : table) each *= 2;
}
int sum_of_table() { return std::accumulate(table.begin(), table.end(), 0); }
int count_runs() { return runs; }
int change_table() {
  table.clear();
  return sum_of_table();
}

struct Adds {
  int what = 0;
  void operator()() const { runs += what; }
};

/// Adds a line to a file.
struct Marks {
  std::string path;
  void operator()() const {
    std::FILE* file = std::fopen(path.c_str(), "a");
    std::fputs("started\n", file);
    std::fclose(file);
  }
};

void refuse() { throw std::domain_error("no such table"); }
void leave() { std::_Exit(5); }
int one() { return 1; }
std::string folder() { return std::filesystem::current_path().filename().string(); }
void exit_with(int code) { mp::exit(code); }

/// Calls `work` in so many threads, over and over, as long as it lives.
template <class Work>
class Busy {
 public:
  Busy(int threads, Work work) {
    for (int i = 0; i < threads; ++i)
      threads_.emplace_back([this, work] {
        while (!done_) work();
      });
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() {
    done_ = true;
    for (auto& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> done_{false};
  std::vector<std::thread> threads_;
};

/// Text of the RuntimeError that a start ends in.
std::string refusal() {
  try {
    forkserver().call(one);
  } catch (const mp::RuntimeError& error) {
    return error.what();
  }
  return "none";
}

TEST_SUITE("api.forkserver") {
  TEST_CASE("it is the last of the start methods, and only where there is fork") {
    const auto methods = mp::get_all_start_methods();
    CHECK((methods.back() == "forkserver") == mp::test_support::can_fork());
    CHECK(methods.size() == (mp::test_support::can_fork() ? 3 : 1));
  }

  TEST_CASE("ForkServerProcess is fixed to it") {
    mp::ForkServerProcess p(exit_with, 3);
    CHECK(p.name().starts_with("ForkServerProcess-"));
    if (!mp::test_support::can_fork()) {
      CHECK_THROWS_AS(p.start(), mp::ValueError);
      return;
    }
    p.start();
    p.join();
    CHECK(p.exitcode() == 3);
  }

  TEST_CASE("functions are preloaded once, in order, and each child has a copy of what they made") {
    if (skipped()) return;
    const NoPreload restore;
    mp::set_forkserver_preload(make_table, [] { double_table(); });
    CHECK(forkserver().call(sum_of_table) == 1001000);
    CHECK(forkserver().call(change_table) == 0);
    CHECK(forkserver().call(sum_of_table) == 1001000);
    CHECK(forkserver().call(count_runs) == 1);
    CHECK(mp::get_context("spawn").call(count_runs) == 0);
    CHECK(runs == 0);
  }

  TEST_CASE("function objects bring their data, and another choice makes another server") {
    if (skipped()) return;
    const NoPreload restore;
    mp::set_forkserver_preload(Adds{5}, Adds{6});
    CHECK(forkserver().call(count_runs) == 11);
    forkserver().set_forkserver_preload(Adds{7});
    CHECK(forkserver().call(count_runs) == 7);
    mp::set_forkserver_preload();
    CHECK(forkserver().call(count_runs) == 0);
  }

  TEST_CASE("a child of a server that was replaced goes on, and its exit code is known") {
    if (skipped()) return;
    const NoPreload restore;
    auto [ours, theirs] = mp::Pipe();
    auto p = forkserver().Process([](mp::Connection end) { mp::exit(end.recv<int>()); }, theirs);
    theirs.close();
    p.start();
    mp::set_forkserver_preload(make_table);
    CHECK(forkserver().call(count_runs) == 1);
    CHECK(p.is_alive());
    ours.send(9);
    p.join();
    CHECK(p.exitcode() == 9);
  }

  TEST_CASE("what a preloaded function throws is told by start(), which works again without it") {
    if (skipped()) return;
    {
      const NoPreload restore;
      mp::set_forkserver_preload(refuse);
      for (int i = 0; i < 2; ++i) {
        const auto text = refusal();
        CHECK_MESSAGE(text.find("std::domain_error: no such table") != std::string::npos, text);
      }
      CHECK(mp::active_children().empty());
      mp::set_forkserver_preload(leave);
      const auto text = refusal();
      CHECK_MESSAGE(text.find("exit 5") != std::string::npos, text);
    }
    CHECK(forkserver().call(one) == 1);
  }

  TEST_CASE("a child is where its parent is, whenever the server was started") {
    if (skipped()) return;
    namespace fs = std::filesystem;
    const auto here = fs::current_path();
    CHECK(forkserver().call(folder) == here.filename().string());
    struct Elsewhere {
      fs::path before = fs::current_path();
      fs::path folder = before / "mp_forkserver_directory";
      Elsewhere() {
        fs::create_directories(folder / "below");
        fs::current_path(folder);
      }
      ~Elsewhere() {
        fs::current_path(before);
        fs::remove_all(folder);
      }
    } const elsewhere;
    CHECK(forkserver().call(folder) == "mp_forkserver_directory");
    mp::CallOptions options;
    options.process.working_directory = "below";
    CHECK(forkserver().call(options, folder) == "below");
  }

  TEST_CASE_FIXTURE(LeakCheck, "an owner with many threads that hold locks starts children safely") {
    if (skipped()) return;
    std::mutex mutex;
    std::vector<std::unique_ptr<std::string>> strings;
    const Busy busy(8, [&] {
      auto made = std::make_unique<std::string>(1000, 'x');  // the allocator's locks
      const std::lock_guard lock(mutex);
      strings.push_back(std::move(made));
      if (strings.size() > 100) strings.clear();
    });
    for (int i = 0; i < 60; ++i)
      CHECK(forkserver().call([](int n) { return std::string(static_cast<std::size_t>(n), 'y').size(); },
                              i) == static_cast<std::size_t>(i));
  }

  TEST_CASE_FIXTURE(LeakCheck, "many threads start children of one server at once") {
    if (skipped()) return;
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10; ++i) {
          auto p = forkserver().Process(exit_with, (t + i) % 7);
          p.start();
          p.join();
          if (p.exitcode() == (t + i) % 7) ++right;
        }
      });
    for (auto& thread : threads) thread.join();
    CHECK(right == 80);
  }

  TEST_CASE("many threads that are the first to start children start one server") {
    if (skipped()) return;
    const NoPreload restore;
    const std::string proof = "mp_forkserver_proof";
    std::remove(proof.c_str());
    mp::set_forkserver_preload(Marks{proof});
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) threads.emplace_back([] { CHECK(forkserver().call(one) == 1); });
    for (auto& thread : threads) thread.join();
    CHECK(std::filesystem::file_size(proof) == std::string("started\n").size());
    std::remove(proof.c_str());
  }

  TEST_CASE("children have no number in common, and their children come from a server of their own") {
    if (skipped()) return;
    const auto nested = [] {
      auto inner = mp::get_context("forkserver").Process([] {
        mp::exit(mp::parent_process()->name().starts_with("outer") ? 6 : 1);
      });
      inner.start();
      inner.join();
      return inner.exitcode().value();
    };
    mp::CallOptions options;
    options.process.name = "outer";
    CHECK(forkserver().call(options, nested) == 6);
  }

  TEST_CASE("a forked child has a server of its own") {
    if (skipped()) return;
    CHECK(forkserver().call(one) == 1);
    mp::ForkProcess p([] { mp::exit(forkserver().call(one) + 1); });
    p.start();
    p.join();
    CHECK(p.exitcode() == 2);
    CHECK(forkserver().call(one) == 1);
  }

  TEST_CASE("the server is no child that anybody sees, and has no part in names") {
    if (skipped()) return;
    const NoPreload restore;
    const std::string before = mp::Process(one).name();
    mp::set_forkserver_preload(make_table);
    auto p = forkserver().Process(one);
    p.start();
    p.join();
    CHECK(mp::active_children().empty());
    const auto number = [](const std::string& name) { return std::stoi(name.substr(name.find('-') + 1)); };
    CHECK(number(p.name()) == number(before) + 1);
  }
}

}  // namespace api_forkserver
