// The duplex stream of bytes: what is written arrives, how it ends, and what ends a wait.
#include "contract/channel.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <future>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::channel_tests {
namespace {

using namespace test_support;
using namespace std::chrono_literals;

constexpr std::size_t more_than_fits = 64 << 20;  // no channel buffers this much

/// Writes and reads that much at both ends at the same time.
void exchange(Channel& left, Channel& right, std::size_t size) {
  const WaitingFor note("both directions of a channel");
  const auto to_right = pattern(size, 1);
  const auto to_left = pattern(size, 2);
  std::vector<std::byte> at_right(size);
  std::vector<std::byte> at_left(size);
  std::vector<std::future<Outcome>> threads;
  const auto run = [&](auto work) { threads.push_back(std::async(std::launch::async, work)); };
  run([&] { return outcome(left.write_all(to_right, patience())); });
  run([&] { return outcome(right.write_all(to_left, patience())); });
  run([&] { return outcome(left.read_all(at_left, patience())); });
  run([&] { return outcome(right.read_all(at_right, patience())); });
  for (auto& thread : threads) CHECK(thread.get() == success);
  CHECK((at_right == to_right));
  CHECK((at_left == to_left));
}

Outcome look(Channel& channel) {
  std::byte byte{};
  return outcome(channel.read_some(std::span(&byte, 1)));
}

bool is_ready(const Channel& channel, Deadline deadline = Deadline::now()) {
  const auto found = outcome(wait_one(channel.readable(), deadline));
  if (found != success) CHECK(found == Condition::timed_out);
  return found == success;
}

const ChildFunction says_and_waits("says_and_waits", [](ChildContext& context) {
  must(context.channel.write_all(bytes_of("last words"), patience()));
  return at_end(context.channel) ? 0 : 1;
});

}  // namespace

TEST_SUITE("contract.channel") {
  TEST_CASE_FIXTURE(LeakCheck, "a pair is two open ends") {
    auto [left, right] = must(channel_pair());
    CHECK(static_cast<bool>(left));
    CHECK(static_cast<bool>(right));
    CHECK(left.get() != no_handle);
    CHECK(right.get() != no_handle);
    CHECK(left.get() != right.get());
    CHECK(left.readable() != right.readable());
  }

  TEST_CASE_FIXTURE(LeakCheck, "no channel is empty and can be closed") {
    Channel channel;
    CHECK_FALSE(static_cast<bool>(channel));
    channel.close();
    CHECK(channel.get() == no_handle);
  }

  TEST_CASE_FIXTURE(LeakCheck, "bytes of any number go both ways at once") {
    auto [left, right] = must(channel_pair());
    for (const std::size_t size : {0U, 1U, 64U * 1024U, 8U << 20U}) {
      CAPTURE(size);
      exchange(left, right, size);
    }
    CHECK(look(left) == Condition::would_block);
    CHECK(look(right) == Condition::would_block);
  }

  TEST_CASE_FIXTURE(LeakCheck, "bytes of any number go to a child and back") {
    auto child = start(echo);
    for (const std::size_t size : {1U, 64U * 1024U, 8U << 20U}) {
      CAPTURE(size);
      const WaitingFor note("an echo");
      const auto sent = pattern(size, 3);
      std::vector<std::byte> received(size);
      auto writer =
          std::async(std::launch::async, [&] { return outcome(child.channel.write_all(sent, patience())); });
      CHECK(outcome(child.channel.read_all(received, patience())) == success);
      CHECK(writer.get() == success);
      CHECK((received == sent));
    }
    child.channel.close();
    CHECK(child.join() == exited(0));
  }

  TEST_CASE_FIXTURE(LeakCheck, "reading some takes what is there, and no more than asked for") {
    auto [left, right] = must(channel_pair());
    std::array<std::byte, 8> buffer;
    CHECK(outcome(right.read_some(buffer)) == Condition::would_block);
    must(left.write_all(pattern(10, 1), patience()));
    CHECK(must(right.read_some(std::span(buffer).first(4))) == 4);
    CHECK(must(right.read_some(buffer, Deadline::never())) == 6);
    CHECK(outcome(right.read_some(buffer)) == Condition::would_block);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a read that waits ends with the first bytes") {
    auto [left, right] = must(channel_pair());
    std::array<std::byte, 64> buffer;
    auto reader = std::async(std::launch::async, [&] { return must(right.read_some(buffer, patience())); });
    must(left.write_all(pattern(3, 1), patience()));
    CHECK(reader.get() == 3);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a read ends at its deadline, and the channel stays good") {
    auto [left, right] = must(channel_pair());
    std::array<std::byte, 4> buffer;
    CHECK(outcome(right.read_some(buffer, Deadline::now())) == Condition::timed_out);
    const auto deadline = Deadline::after(20ms);
    CHECK(outcome(right.read_some(buffer, deadline)) == Condition::timed_out);
    CHECK(deadline.expired());
    CHECK(outcome(right.read_all(buffer, Deadline::after(1ms))) == Condition::timed_out);
    exchange(left, right, 1000);
  }

  TEST_CASE_FIXTURE(LeakCheck, "what has arrived is read although the deadline has passed") {
    auto [left, right] = must(channel_pair());
    std::array<std::byte, 4> buffer;
    must(left.write_all(pattern(4, 1), patience()));
    REQUIRE(is_ready(right, patience()));
    CHECK(must(right.read_some(std::span(buffer).first(2), Deadline::now())) == 2);
    CHECK(outcome(right.read_all(std::span(buffer).first(2), Deadline::now())) == success);
    left.close();
    CHECK(must(right.read_some(buffer, Deadline::now())) == 0);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a wakeup cancels a read, before it and in it, and the channel stays good") {
    auto [left, right] = must(channel_pair());
    const Wakeup wakeup = must(Wakeup::create());
    std::array<std::byte, 4> buffer;
    auto reader =
        std::async(std::launch::async, [&] { return outcome(right.read_some(buffer, patience(), &wakeup)); });
    wakeup.notify();
    CHECK(reader.get() == Condition::cancelled);
    CHECK(outcome(right.read_some(buffer, patience(), &wakeup)) == Condition::cancelled);
    CHECK(outcome(right.read_all(buffer, Deadline::never(), &wakeup)) == Condition::cancelled);
    wakeup.reset();
    must(left.write_all(pattern(4, 1), patience(), &wakeup));
    CHECK(outcome(right.read_all(buffer, patience(), &wakeup)) == success);
    exchange(left, right, 1000);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a read that looks before it sleeps finds what comes meanwhile") {
    auto [left, right] = must(channel_pair());
    std::array<std::byte, 64> buffer;
    Look long_look{1h};
    auto reader = std::async(std::launch::async,
                             [&] { return must(right.read_some(buffer, patience(), nullptr, &long_look)); });
    must(left.write_all(pattern(3, 1), patience()));
    CHECK(reader.get() == 3);
    CHECK(long_look.outcome != Look::Outcome::in_vain);
    left.close();
    long_look = {1h};
    CHECK(must(right.read_some(buffer, patience(), nullptr, &long_look)) == 0);
    CHECK(long_look.outcome != Look::Outcome::in_vain);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a read that looked in vain sleeps as any other does") {
    auto [left, right] = must(channel_pair());
    const Wakeup wakeup = must(Wakeup::create());
    std::array<std::byte, 4> buffer;
    Look look{1us};
    const auto deadline = Deadline::after(20ms);
    CHECK(outcome(right.read_some(buffer, deadline, nullptr, &look)) == Condition::timed_out);
    CHECK(deadline.expired());
    CHECK(look.outcome == Look::Outcome::in_vain);
    Look longer_than_the_wait{1h};
    CHECK(outcome(right.read_some(buffer, Deadline::after(1ms), nullptr, &longer_than_the_wait)) ==
          Condition::timed_out);
    wakeup.notify();
    look = {1us};
    CHECK(outcome(right.read_some(buffer, patience(), &wakeup, &look)) == Condition::cancelled);
    look = {1us};
    auto reader = std::async(
        std::launch::async, [&] { return must(right.read_some(buffer, Deadline::never(), nullptr, &look)); });
    must(left.write_all(pattern(3, 1), patience()));
    CHECK(reader.get() == 3);
    exchange(left, right, 1000);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a write that nobody reads ends at its deadline") {
    auto [left, right] = must(channel_pair());
    const std::vector<std::byte> bytes(more_than_fits);
    const auto deadline = Deadline::after(20ms);
    CHECK(outcome(left.write_all(bytes, deadline)) == Condition::timed_out);
    CHECK(deadline.expired());
  }

  TEST_CASE_FIXTURE(LeakCheck, "a wakeup cancels a write that nobody reads") {
    auto [left, right] = must(channel_pair());
    const Wakeup wakeup = must(Wakeup::create());
    const std::vector<std::byte> bytes(more_than_fits);
    auto writer =
        std::async(std::launch::async, [&] { return outcome(left.write_all(bytes, patience(), &wakeup)); });
    REQUIRE(is_ready(right, patience()));  // it has begun
    wakeup.notify();
    CHECK(writer.get() == Condition::cancelled);
  }

  TEST_CASE_FIXTURE(LeakCheck, "what was written before the end is read before the end") {
    auto [left, right] = must(channel_pair());
    must(left.write_all(bytes_of("before the end"), patience()));
    left.close();
    CHECK(read_to_end(right) == "before the end");
    CHECK(at_end(right));
    std::byte byte{};
    CHECK(must(right.read_some(std::span(&byte, 1))) == 0);
  }

  TEST_CASE_FIXTURE(LeakCheck, "reading all is broken when the stream ends first") {
    auto [left, right] = must(channel_pair());
    must(left.write_all(pattern(3, 1), patience()));
    left.close();
    std::array<std::byte, 4> buffer;
    CHECK(outcome(right.read_all(buffer, patience())) == Condition::broken);
    CHECK(outcome(right.read_all(buffer, patience())) == Condition::broken);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a read that waits ends when the peer closes") {
    auto [left, right] = must(channel_pair());
    auto reader = std::async(std::launch::async, [&] { return at_end(right); });
    left.close();
    CHECK(reader.get());
  }

  TEST_CASE_FIXTURE(LeakCheck, "writing to a peer that is gone is broken, not a signal") {
    auto [left, right] = must(channel_pair());
    right.close();
    for (int i = 0; i < 3; ++i)
      CHECK(outcome(left.write_all(pattern(10, 1), patience())) == Condition::broken);
  }

  TEST_CASE_FIXTURE(LeakCheck, "of a write to a peer that is gone nothing went out, and that is known") {
    auto [left, right] = must(channel_pair());
    right.close();
    bool begun = false;
    CHECK(outcome(left.write_all(pattern(10, 1), patience(), nullptr, &begun)) == Condition::broken);
    CHECK_FALSE(begun);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a write that waits is broken when the peer closes") {
    auto [left, right] = must(channel_pair());
    const std::vector<std::byte> bytes(more_than_fits);
    auto writer = std::async(std::launch::async, [&] { return outcome(left.write_all(bytes, patience())); });
    REQUIRE(is_ready(right, patience()));
    right.close();
    CHECK(writer.get() == Condition::broken);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a peer that was killed is the end of the stream, after its last words") {
    auto child = start(says_and_waits);
    REQUIRE(is_ready(child.channel, patience()));
    must(child.process.send(StopSignal::kill));
    child.join();
    CHECK(read_to_end(child.channel) == "last words");
    CHECK(outcome(child.channel.write_all(pattern(10, 1), patience())) == Condition::broken);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a write that waits is broken when the peer is killed") {
    auto child = start(echo);  // reads until its own writes block, and then no more
    const std::vector<std::byte> bytes(more_than_fits);
    auto writer =
        std::async(std::launch::async, [&] { return outcome(child.channel.write_all(bytes, patience())); });
    REQUIRE(is_ready(child.channel, patience()));
    must(child.process.send(StopSignal::kill));
    CHECK(writer.get() == Condition::broken);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a peer that closes with something unread leaves word of it") {
    const bool tells = capabilities().tells_unread;
    SUBCASE("nothing of it was read, and the end is read") {
      auto [left, right] = must(channel_pair());
      must(right.write_all(bytes_of("last words"), patience()));
      must(left.write_all(pattern(100, 1), patience()));
      CHECK_FALSE(left.left_unread());
      right.close();
      CHECK(read_to_end(left) == "last words");
      CHECK(left.left_unread() == tells);
      CHECK(at_end(left));
      CHECK(left.left_unread() == tells);
    }
    SUBCASE("the last byte of it was not read") {
      auto [left, right] = must(channel_pair());
      must(left.write_all(pattern(100, 1), patience()));
      std::vector<std::byte> nearly_all(99);
      must(right.read_all(nearly_all, patience()));
      right.close();
      CHECK(at_end(left));
      CHECK(left.left_unread() == tells);
    }
    SUBCASE("a write finds the peer gone") {
      auto [left, right] = must(channel_pair());
      must(left.write_all(pattern(100, 1), patience()));
      right.close();
      CHECK(outcome(left.write_all(pattern(100, 1), patience())) == Condition::broken);
      CHECK(at_end(left));
      CHECK(left.left_unread() == tells);
    }
    SUBCASE("a write that waits is broken") {
      auto [left, right] = must(channel_pair());
      const std::vector<std::byte> bytes(more_than_fits);
      auto writer =
          std::async(std::launch::async, [&] { return outcome(left.write_all(bytes, patience())); });
      REQUIRE(is_ready(right, patience()));
      right.close();
      CHECK(writer.get() == Condition::broken);
      CHECK(at_end(left));
      CHECK(left.left_unread() == tells);
    }
    SUBCASE("it was killed") {
      auto child = start(says_and_waits);
      REQUIRE(is_ready(child.channel, patience()));
      must(child.process.send(StopSignal::kill));
      child.join();
      CHECK(read_to_end(child.channel) == "last words");
      CHECK_FALSE(child.channel.left_unread());
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a peer that has read all leaves no word of anything unread") {
    auto [left, right] = must(channel_pair());
    CHECK_FALSE(Channel().left_unread());
    must(left.write_all(pattern(100, 1), patience()));
    std::vector<std::byte> all(100);
    must(right.read_all(all, patience()));
    right.close();
    CHECK(at_end(left));
    CHECK(outcome(left.write_all(pattern(100, 1), patience())) == Condition::broken);
    CHECK_FALSE(left.left_unread());
  }

  TEST_CASE_FIXTURE(LeakCheck, "one direction can end while the other goes on") {
    auto [left, right] = must(channel_pair());
    if (!capabilities().half_close) {
      CHECK(outcome(left.finish_writing()) == Condition::not_supported);
      exchange(left, right, 1000);
      return;
    }
    must(left.write_all(bytes_of("the end"), patience()));
    must(left.finish_writing());
    CHECK(read_to_end(right) == "the end");
    CHECK(outcome(left.write_all(pattern(1, 1), patience())) == Condition::broken);
    must(right.write_all(bytes_of("goes on"), patience()));
    right.close();
    CHECK(read_to_end(left) == "goes on");
  }

  TEST_CASE_FIXTURE(LeakCheck, "the readable handle is ready exactly while there is something to read") {
    auto [left, right] = must(channel_pair());
    const RawHandle handle = right.readable();
    CHECK_FALSE(is_ready(right));
    for (int round = 0; round < 3; ++round) {
      must(left.write_all(pattern(4, 1), patience()));
      CHECK(is_ready(right, patience()));
      std::array<std::byte, 2> half;
      CHECK(must(right.read_some(half)) == 2);
      CHECK(is_ready(right));
      CHECK(is_ready(right));
      CHECK(must(right.read_some(half)) == 2);
      CHECK_FALSE(is_ready(right));
      CHECK(look(right) == Condition::would_block);
      CHECK_FALSE(is_ready(right));
    }
    left.close();
    CHECK(is_ready(right, patience()));
    CHECK(at_end(right));
    CHECK(is_ready(right));
    CHECK(right.readable() == handle);
  }

  TEST_CASE_FIXTURE(LeakCheck, "readable handles work in waits for many") {
    std::vector<std::pair<Channel, Channel>> pairs;
    std::vector<RawHandle> handles;
    for (int i = 0; i < 80; ++i) handles.push_back(pairs.emplace_back(must(channel_pair())).first.readable());
    CHECK(must(wait_any(handles, Deadline::now())).empty());
    must(pairs[3].second.write_all(pattern(1, 1), patience()));
    CHECK(must(wait_any(handles, patience())) == std::vector<std::size_t>{3});
    pairs[79].second.close();
    auto ready = must(wait_any(handles, patience()));
    if (ready.size() == 1) {  // the end may take a moment to arrive
      must(wait_one(handles[79], patience()));
      ready = must(wait_any(handles, patience()));
    }
    CHECK(ready == std::vector<std::size_t>{3, 79});
  }

  TEST_CASE_FIXTURE(LeakCheck, "one thread may read while another writes at the same end") {
    auto [left, right] = must(channel_pair());
    const WaitingFor note("ping and pong");
    auto peer = std::async(std::launch::async, [&] {
      for (int i = 0; i < 500; ++i) send_number(right, receive_number(right) + 1);
    });
    auto reader = std::async(std::launch::async, [&] {
      std::int64_t sum = 0;
      for (int i = 0; i < 500; ++i) sum += receive_number(left);
      return sum;
    });
    for (int i = 0; i < 500; ++i) send_number(left, i);
    CHECK(reader.get() == 500 * 499 / 2 + 500);
    peer.get();
  }

  TEST_CASE_FIXTURE(LeakCheck, "moving passes a channel on, and closes the one that is replaced") {
    auto [left, right] = must(channel_pair());
    auto [other, peer] = must(channel_pair());
    Channel moved(std::move(left));
    exchange(moved, right, 100);
    other = std::move(moved);
    CHECK(at_end(peer));
    exchange(other, right, 100);
    other.close();
    CHECK_FALSE(static_cast<bool>(other));
    other.close();
    CHECK(at_end(right));
  }

  TEST_CASE_FIXTURE(LeakCheck, "closing in the middle of everything leaks nothing") {
    for (int i = 0; i < 50; ++i) {
      auto [left, right] = must(channel_pair());
      must(left.write_all(pattern(100, 1), patience()));
      std::byte byte{};
      must(right.read_some(std::span(&byte, 1), patience()));
      CHECK(outcome(left.read_some(std::span(&byte, 1), Deadline::now())) == Condition::timed_out);
    }
  }
}

}  // namespace multiprocessing::platform::channel_tests
