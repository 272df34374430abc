// What a child writes to its parent at its end, byte by byte as it arrives.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "contract/capabilities.hpp"
#include "contract/channel.hpp"
#include "contract/process.hpp"
#include "contract/system.hpp"
#include "contract/wait.hpp"
#include "launch/child_main.hpp"
#include "launch/self.hpp"
#include "test_support/abilities.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"
#include "wire/frame.hpp"

namespace child_reports_test {

using namespace multiprocessing;
using namespace std::chrono_literals;
using test_support::must;

constexpr std::size_t large = 8 << 20;  // more than any channel holds

/// In a thread of its own, once there is something to read.
void crash_when_told(const platform::Channel& order) {
  std::thread([&order] {
    must(platform::wait_one(order.readable(), test_support::patience()));
    static volatile std::uintptr_t nowhere = 0x10;
    *reinterpret_cast<volatile int*>(nowhere) = 1;
  }).detach();
}

/// Forks a child that reports the end of `body` as one that waits for a result would get it, and lets it
/// crash in the midst of that. What it sent is read once it has ended, or while a report of the crash still
/// waits for room, which it does for a second.
std::string sent_by_child(const std::function<void(detail::Encoder*, const platform::Channel& order)>& body) {
  auto ends = must(platform::channel_pair());
  auto orders = must(platform::channel_pair());
  auto fork = must(platform::fork_process({}));
  if (fork.in_child) {
    ends.first.close();
    runtime::ParentLink link(std::move(ends.second), {}, {});
    runtime::arm_crash_report_to(link);
    const auto whole = [&](detail::Encoder* result) { body(result, orders.second); };
    platform::end_now(runtime::run_and_report(link, true, whole));
  }
  ends.second.close();
  must(platform::wait_one(ends.first.readable(), test_support::patience()));
  must(orders.first.write_all(test_support::bytes_of("crash"), test_support::patience()));
  static_cast<void>(platform::wait_one(fork.child.sentinel(), platform::Deadline::after(500ms)));
  auto bytes = test_support::read_to_end(ends.first);
  must(platform::wait_one(fork.child.sentinel(), test_support::patience()));
  static_cast<void>(fork.child.poll());
  return bytes;
}

}  // namespace child_reports_test

TEST_SUITE("unit.child_reports") {
  using namespace child_reports_test;

  TEST_CASE("a thread that crashes while a result is sent writes nothing into it") {
    if (!platform::capabilities().fork || !test_support::forks_beside_threads())
      return test_support::skip("no fork beside threads here");
    const std::string bytes = sent_by_child([](detail::Encoder* result, const platform::Channel& order) {
      for (std::size_t i = 0; i < large / 8; ++i) result->number(std::uint64_t{0x7878787878787878});
      crash_when_told(order);
    });
    const auto header = runtime::frame_header(runtime::FrameKind::finished, large);
    REQUIRE(bytes.size() > header.size());
    CHECK(std::memcmp(bytes.data(), header.data(), header.size()) == 0);
    CHECK(bytes.find_first_not_of('x', header.size()) == std::string::npos);
  }
}
