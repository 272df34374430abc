// Writing to a worker in three steps, the middle one without the pool's mutex: what others do between them,
// and what counts as written when it fails.
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/channel.hpp"
#include "contract/fault.hpp"
#include "pool/pool_worker.hpp"
#include "test_support/clean_plan.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace unit_pool_worker {

namespace fault_plan = multiprocessing::platform::fault_plan;
using multiprocessing::platform::Channel;
using multiprocessing::platform::channel_pair;
using multiprocessing::runtime::Feeder;
using multiprocessing::runtime::PoolWorker;
using multiprocessing::test_support::must;
using multiprocessing::test_support::patience;

struct WorkerAndPeer {
  WorkerAndPeer() {
    auto ends = must(channel_pair());
    worker.channel = std::make_shared<Channel>(std::move(ends.first));
    worker.feeder = std::make_shared<Feeder>(worker.channel, [] {});
    peer = std::move(ends.second);
  }

  void hand_out(std::uint64_t number, std::string_view frame) {
    worker.sent.emplace_back().number = number;
    for (const char letter : frame) worker.out.push_back(static_cast<std::byte>(letter));
  }
  void expect(std::string_view text) {
    std::vector<std::byte> arrived(text.size());
    must(peer.read_all(arrived, patience()));
    for (std::size_t i = 0; i < text.size(); ++i) CHECK(arrived[i] == static_cast<std::byte>(text[i]));
    std::array<std::byte, 1> more{};
    CHECK_FALSE(peer.read_some(more));
  }

  const multiprocessing::test_support::CleanPlan clean;
  PoolWorker worker;
  Channel peer;
};

TEST_SUITE("unit.pool_worker") {
  TEST_CASE_FIXTURE(WorkerAndPeer,
                    "what others hand out while it is being written to goes out right behind") {
    hand_out(1, "one");
    auto write = worker.begin_write();
    hand_out(2, "two");
    CHECK(worker.flush());
    worker.write(write);
    expect("one");
    REQUIRE(worker.end_write(write));
    CHECK(worker.flushed == 1);
    CHECK(worker.written == 1);
    CHECK(worker.flush());
    CHECK(worker.flushed == 2);
    expect("two");
  }

  TEST_CASE_FIXTURE(WorkerAndPeer,
                    "what came behind a write that failed never goes out, nor counts as written") {
    hand_out(1, "one");
    auto write = worker.begin_write();
    hand_out(2, "two");
    fault_plan::fail(multiprocessing::platform::Call::channel_write, 1,
                     multiprocessing::platform::Condition::out_of_memory);
    worker.write(write);
    fault_plan::clear();
    CHECK_FALSE(worker.end_write(write));
    CHECK(worker.flush());  // there is nothing left to write
    CHECK(worker.flushed == 0);
    CHECK(worker.written == 0);
    worker.channel->close();
    std::array<std::byte, 1> nothing{};
    CHECK(must(peer.read_some(nothing, patience())) == 0);
  }

  TEST_CASE_FIXTURE(WorkerAndPeer,
                    "of a write that broke off all but its last may be in the worker's hands") {
    hand_out(1, "one");
    hand_out(2, "two");
    auto write = worker.begin_write();
    fault_plan::break_off(1, 4);
    worker.write(write);
    fault_plan::clear();
    CHECK_FALSE(worker.end_write(write));
    CHECK(worker.flushed == 1);
    CHECK(worker.written == 0);
    expect("onet");
  }
}

}  // namespace unit_pool_worker
