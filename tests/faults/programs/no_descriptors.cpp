// ctest: args=--count=60 timeout=300
// A server that may have few descriptors only, under a flood of clients that say nothing and stay: how long
// clients with the key wait meanwhile, and afterwards. Exit status 0 if each is served and its descriptors
// did run out, with --judge-times if 99 of 100 wait at most 100 ms. --count=N clients of each kind.
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "contract/listener.hpp"
#include "contract/system.hpp"
#include "test_support/figures.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;

namespace {

const std::vector<std::byte> key(32, std::byte{7});
constexpr int allowed = 40;

/// Takes every descriptor there is, to see that they run out, and gives them back.
bool runs_out() {
  std::vector<platform::Wakeup> taken;
  for (int i = 0; i < 10 * allowed; ++i) {
    auto wakeup = platform::Wakeup::create();
    if (!wakeup) return true;
    taken.push_back(*std::move(wakeup));
  }
  return false;
}

/// Serves so many, after it has said where, and whether it is short of descriptors.
void serve(mp::Connection parent, int count) {
  mp::Listener listener({}, {.backlog = 64, .authkey = key});
  parent.send(listener.address());
  parent.send(runs_out());
  for (int served = 0; served < count;) try {
      listener.accept().send(served);
      ++served;
    } catch (const mp::AuthenticationError&) {
    }
}

struct Flood {
  explicit Flood(const mp::Address& address)
      : endpoint{platform::usual_endpoint_kind(), {}, 0, address.path()}, thread([this] { run(); }) {}
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;
  ~Flood() {
    enough = true;
    thread.join();
  }
  void run() {
    while (!enough) {
      auto peer = platform::connect_to(endpoint, platform::Deadline::after(std::chrono::seconds(1)));
      if (peer) silent[came++ % silent.size()] = std::move(peer->channel);
    }
  }
  platform::Endpoint endpoint;
  std::vector<platform::Channel> silent = std::vector<platform::Channel>(200);
  std::atomic<std::size_t> came = 0;
  std::atomic<bool> enough = false;
  std::thread thread;
};

/// The milliseconds of `count` clients, one after the other; those that are dropped try again.
std::vector<double> clients(const mp::Address& address, int count, int& next, int& wrong) {
  std::vector<double> milliseconds;
  for (int i = 0; i < count; ++i, ++next) {
    const auto start = std::chrono::steady_clock::now();
    for (;;) try {
        if (mp::Client(address, {.authkey = key}).recv<int>() != next) ++wrong;
        break;
      } catch (const mp::OSError&) {
      } catch (const mp::EOFError&) {
      }
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::sort(milliseconds);
  return milliseconds;
}

double p99(const std::vector<double>& sorted) { return sorted[sorted.size() * 99 / 100]; }

bool run(int count, bool judge) {
  auto [ours, theirs] = mp::Pipe();
  mp::SpawnProcess server(serve, theirs, 2 * count);
  server.start();
  theirs.close();
  const auto address = ours.recv<mp::Address>();
  const bool short_of_them = ours.recv<bool>();
  int next = 0;
  int wrong = 0;
  std::vector<double> during;
  std::size_t came = 0;
  {
    const auto flood = std::make_unique<Flood>(address);
    while (flood->came < 2 * allowed) std::this_thread::yield();
    during = clients(address, count, next, wrong);
    came = flood->came;
  }
  const auto after = clients(address, count, next, wrong);
  server.join();
  std::printf(
      "%d descriptors, %zu silent clients: %d and %d served, %d wrong, p99 %.2f ms under the flood, %.2f "
      "ms after it\n",
      allowed, came, count, count, wrong, p99(during), p99(after));
  return short_of_them && wrong == 0 && server.exitcode() == 0 &&
         (!judge || (p99(during) <= 100 && p99(after) <= 100));
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  if (!platform::handle_limit() || std::getenv("MULTIPROCESSING_TEST_LAUNCHER") != nullptr) {
    std::printf("[skipped] a server without descriptors: nothing limits them here\n");
    return 77;
  }
  mp::set_executable(argv[0],
                     {"/bin/sh", "-c", "ulimit -n " + std::to_string(allowed) + " && exec \"$0\" \"$@\""});
  return mp::test_support::verdict(
      run(figures::count_argument(argc, argv), figures::judged_by_time(argc, argv)) ? 0 : 1);
}
