// ctest: args=--count=60 timeout=300
// Clients that connect and say nothing, and between them clients with the key: how long those wait. Exit
// status 0 if each is served, with --judge-times if 99 of 100 wait at most 100 ms. --count=N silent ones, as
// far as the limit on handles allows.
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include "contract/listener.hpp"
#include "contract/system.hpp"
#include "test_support/figures.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;

namespace {

constexpr int served = 200;

/// This process has the other end of 64 of them, and of the clients that are served.
int allowed(int wanted) {
  const auto limit = platform::handle_limit().value_or(std::numeric_limits<int>::max());
  return limit > 400
             ? static_cast<int>(std::min<std::uint64_t>(limit - 300, static_cast<std::uint64_t>(wanted)))
             : std::min(wanted, 50);
}

void serve(mp::Listener& listener) {
  for (int i = 0; i < served; ++i) listener.accept().send(i);
}

bool run(int count, bool judge) {
  const std::vector<std::byte> key(32, std::byte{7});
  mp::Listener listener({"127.0.0.1", 0}, {.backlog = 64, .authkey = key});
  std::thread server([&] { serve(listener); });
  const platform::Endpoint endpoint{
      platform::Endpoint::Kind::inet, "127.0.0.1", static_cast<std::uint16_t>(listener.address().port()), {}};
  std::vector<platform::ConnectedStream> silent;
  std::vector<double> milliseconds;
  int wrong = 0;
  for (int i = 0; i < served; ++i) {
    while (static_cast<int>(silent.size()) < (i + 1) * count / served) {
      auto peer = platform::connect_to(endpoint, platform::Deadline::never());
      if (!peer) break;
      silent.push_back(*std::move(peer));
    }
    const auto start = std::chrono::steady_clock::now();
    if (mp::Client(listener.address(), {.authkey = key}).recv<int>() != i) ++wrong;
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  server.join();
  std::ranges::sort(milliseconds);
  const double p99 = milliseconds[milliseconds.size() * 99 / 100];
  std::printf("%zu silent clients: %d served, %d wrong, median %.2f ms, p99 %.2f ms\n", silent.size(), served,
              wrong, milliseconds[milliseconds.size() / 2], p99);
  return wrong == 0 && static_cast<int>(silent.size()) == count && (!judge || p99 <= 100);
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  const bool good = run(allowed(figures::count_argument(argc, argv)), figures::judged_by_time(argc, argv));
  return mp::test_support::verdict(good ? 0 : 1);
}
