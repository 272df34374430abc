// Streams that several handles are open for, in one process or in two: each hears what comes, whoever takes
// it, and the stream lives as long as one of them. For every kind of stream that a listener makes.
#include <doctest/doctest.h>

#include <array>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/handle_transfer.hpp"
#include "contract/listener.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::channel_copies_tests {
namespace {

using namespace test_support;

struct Ends {
  Channel client;
  Channel server;
};

/// One stream of each kind that this system and machine have.
template <class Test>
void with_each_stream(Test test) {
  using Kind = Endpoint::Kind;
  for (const Kind kind : {Kind::inet, Kind::inet6, Kind::unix_socket, Kind::pipe}) {
    const auto endpoint = unused_endpoint(kind);
    if (!endpoint) continue;
    auto listener = Listener::listen(*endpoint, 1);
    if (!listener) continue;
    CAPTURE(static_cast<int>(kind));
    auto accepting = std::async(std::launch::async, [&] { return must(listener->accept(patience())); });
    auto client = must(connect_to(listener->address(), patience()));
    Ends ends{std::move(client.channel), accepting.get().channel};
    test(ends);
  }
}

Channel copy_of(const Channel& channel) {
  return must(Channel::adopt_stream(Handle(must(duplicate_handle(channel.get())))));
}

bool is_ready(const Channel& channel) {
  return outcome(wait_one(channel.readable(), Deadline::now())) == success;
}

bool becomes_ready(const Channel& channel) {
  return outcome(wait_one(channel.readable(), patience())) == success;
}

Outcome look(Channel& channel) {
  std::array<std::byte, 1> buffer{};
  return outcome(channel.read_some(buffer));
}

void send_channel(Channel& to, const Channel& what) {
  const RawHandle raw = what.get();
  must(send_handles(to, std::span(&raw, 1), patience()));
}

Channel receive_channel(Channel& from) {
  auto handles = must(receive_handles(from, 1, patience()));
  return must(Channel::adopt_stream(std::move(handles.at(0))));
}

/// Answers over the stream that it is sent when it is told so, and at last sees the end of it.
const ChildFunction shares_a_stream("shares_a_stream", [](ChildContext& context) {
  auto stream = receive_channel(context.channel);
  if (is_ready(stream)) return 1;
  send_text(context.channel, "has it");
  while (receive_text(context.channel) == "answer") {
    if (!becomes_ready(stream)) return 2;
    send_text(stream, "child got " + receive_text(stream));
    send_text(context.channel, look(stream) == Condition::would_block ? "nothing more" : "more");
  }
  return becomes_ready(stream) && at_end(stream) ? 0 : 3;
});

/// Connects to its parent, looks at the stream, sends it there, and waits to be killed.
const ChildFunction connects_for_its_parent("connects_for_its_parent", [](ChildContext& context) {
  const auto port = static_cast<std::uint16_t>(receive_number(context.channel));
  const Endpoint there{Endpoint::Kind::inet, "127.0.0.1", port, {}};
  auto stream = must(connect_to(there, patience()));
  if (is_ready(stream.channel)) return 1;
  send_channel(context.channel, stream.channel);
  return at_end(context.channel) ? 0 : 2;
});

bool skipped() {
  if (capabilities().handle_transfer) return false;
  skip("handles cannot be transferred here");
  return true;
}

}  // namespace

TEST_SUITE("contract.channel_copies") {
  // Not counted: a system may open something of its own when the first socket is made.
  TEST_CASE("a copy of a stream is a stream") {
    with_each_stream([](Ends& ends) {
      auto copy = copy_of(ends.server);
      send_text(ends.client, "there");
      CHECK(receive_text(copy) == "there");
      send_text(copy, "back");
      CHECK(receive_text(ends.client) == "back");
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "each copy hears what comes, whoever takes it") {
    with_each_stream([](Ends& ends) {
      auto copy = copy_of(ends.server);
      Channel* takes = &ends.server;
      Channel* other = &copy;
      for (int i = 0; i < 4; ++i) {
        CAPTURE(i);
        CHECK_FALSE(is_ready(*takes));
        CHECK_FALSE(is_ready(*other));
        send_text(ends.client, "it");
        CHECK(becomes_ready(*takes));
        CHECK(becomes_ready(*other));
        CHECK(receive_text(*takes) == "it");
        if (i < 2) CHECK(look(*other) == Condition::would_block);
        std::swap(takes, other);
      }
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "a part that is left keeps every copy ready") {
    with_each_stream([](Ends& ends) {
      auto copy = copy_of(ends.server);
      must(ends.client.write_all(pattern(3, 1), patience()));
      for (Channel* each : {&copy, &ends.server, &copy}) {
        CHECK(becomes_ready(ends.server));
        CHECK(becomes_ready(copy));
        CHECK(look(*each) == success);
      }
      CHECK_FALSE(is_ready(ends.server));
      CHECK_FALSE(is_ready(copy));
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "a copy that is closed while it waits takes nothing with it") {
    with_each_stream([](Ends& ends) {
      auto copy = copy_of(ends.server);
      CHECK_FALSE(is_ready(ends.server));
      ends.server.close();
      CHECK_FALSE(is_ready(copy));
      send_text(ends.client, "to the copy");
      CHECK(becomes_ready(copy));
      CHECK(receive_text(copy) == "to the copy");
      copy.close();
      CHECK(at_end(ends.client));
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "each copy hears the end, and what was sent before it") {
    with_each_stream([](Ends& ends) {
      auto copy = copy_of(ends.server);
      CHECK_FALSE(is_ready(copy));
      send_text(ends.client, "last");
      ends.client.close();
      CHECK(receive_text(ends.server) == "last");
      for (Channel* each : {&copy, &ends.server, &copy}) {
        CHECK(becomes_ready(*each));
        CHECK(at_end(*each));
      }
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "a write of one copy waits while another reads") {
    with_each_stream([](Ends& ends) {
      auto copy = copy_of(ends.server);
      const auto sent = pattern(4 << 20, 9);
      auto writing =
          std::async(std::launch::async, [&] { return outcome(copy.write_all(sent, patience())); });
      send_text(ends.client, "meanwhile");
      CHECK(receive_text(ends.server) == "meanwhile");
      std::vector<std::byte> received(sent.size());
      must(ends.client.read_all(received, patience()));
      CHECK(writing.get() == success);
      CHECK((received == sent));
      send_text(ends.server, "after it");
      CHECK(receive_text(ends.client) == "after it");
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "who asked first may have ended") {
    with_each_stream([](Ends& ends) {
      std::thread([&] { static_cast<void>(ends.server.readable()); }).join();
      CHECK_FALSE(is_ready(ends.server));
      send_text(ends.client, "still heard");
      CHECK(becomes_ready(ends.server));
      CHECK(receive_text(ends.server) == "still heard");
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "a stream is shared with a child, and both hear all of it") {
    if (skipped()) return;
    with_each_stream([](Ends& ends) {
      auto child = start(shares_a_stream);
      CHECK_FALSE(is_ready(ends.server));
      send_channel(child.channel, ends.server);
      CHECK(receive_text(child.channel) == "has it");
      for (int i = 0; i < 3; ++i) {
        CAPTURE(i);
        send_text(child.channel, "answer");
        send_text(ends.client, "it");
        CHECK(receive_text(ends.client) == "child got it");
        CHECK(receive_text(child.channel) == "nothing more");
        CHECK_FALSE(is_ready(ends.server));
        send_text(ends.client, "to the parent");
        CHECK(becomes_ready(ends.server));
        CHECK(receive_text(ends.server) == "to the parent");
        send_text(ends.server, "parent got it");
        CHECK(receive_text(ends.client) == "parent got it");
      }
      send_text(child.channel, "see the end");
      ends.client.close();
      CHECK(child.join() == exited(0));
      CHECK(becomes_ready(ends.server));
      CHECK(at_end(ends.server));
    });
  }

  TEST_CASE_FIXTURE(LeakCheck, "a stream goes on when the process that made it is gone") {
    if (skipped()) return;
    const auto endpoint = must(unused_endpoint(Endpoint::Kind::inet));
    auto listener = must(Listener::listen(endpoint, 1));
    auto child = start(connects_for_its_parent);
    send_number(child.channel, listener.address().port);
    auto server = must(listener.accept(patience()));
    auto received = receive_channel(child.channel);
    must(child.process.send(StopSignal::kill));
    child.join();
    CHECK_FALSE(is_ready(received));
    std::thread([&] { static_cast<void>(received.readable()); }).join();
    CHECK_FALSE(is_ready(received));
    send_text(server.channel, "there");
    CHECK(becomes_ready(received));
    CHECK(receive_text(received) == "there");
    send_text(received, "back");
    CHECK(receive_text(server.channel) == "back");
    received.close();
    CHECK(at_end(server.channel));
  }
}

}  // namespace multiprocessing::platform::channel_copies_tests
