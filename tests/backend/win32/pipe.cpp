// The named pipes under channels, and what becomes of reads that are pending when their thread ends.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "contract/channel.hpp"
#include "contract/listener.hpp"
#include "pipe.hpp"

namespace multiprocessing::platform::win32 {
namespace {

using Ends = std::pair<Channel, Channel>;

Ends pipe_pair() {
  auto ends = channel_pair();
  REQUIRE(ends);
  return *std::move(ends);
}

Ends tcp_pair() {
  const auto patience = Deadline::after(std::chrono::seconds(30));
  auto listener = Listener::listen(*unused_endpoint(Endpoint::Kind::inet), 1);
  REQUIRE(listener);
  auto client = connect_to(listener->address(), patience);
  REQUIRE(client);
  auto server = listener->accept(patience);
  REQUIRE(server);
  return {std::move(client->channel), std::move(server->channel)};
}

/// Memory such as an end of a channel is made of, which nobody but its owner may write into.
class Canaries {
 public:
  Canaries() {
    for (std::size_t size = 64; size <= 256; size += 16) {
      for (int i = 0; i < 8; ++i) blocks_.emplace_back(size, fill);
    }
  }
  [[nodiscard]] bool unharmed() const {
    return std::ranges::all_of(blocks_, [](const auto& block) {
      return std::ranges::all_of(block, [](unsigned char byte) { return byte == fill; });
    });
  }

 private:
  static constexpr unsigned char fill = 0xAA;
  std::vector<std::vector<unsigned char>> blocks_;
};

/// The one that asked is busy with other things when the pending read of its question ends.
void close_at_the_end_of_the_stream(Ends ends) {
  auto& [ours, theirs] = ends;
  std::atomic<int> stage = 0;
  std::thread asks([&] {
    static_cast<void>(ours.readable());
    stage = 1;
    while (stage == 1) continue;
  });
  while (stage == 0) std::this_thread::yield();
  theirs.close();
  std::array<std::byte, 1> buffer;
  const auto end = ours.read_some(buffer, Deadline::after(std::chrono::seconds(30)));
  ours.close();
  const Canaries canaries;
  stage = 2;
  asks.join();
  REQUIRE(end);
  CHECK(*end == 0);
  REQUIRE(canaries.unharmed());
}

TEST_SUITE_BEGIN("backend.pipe");

TEST_CASE("nothing is written into an end that is closed as soon as the stream has ended") {
  for (int round = 0; round < 200; ++round) close_at_the_end_of_the_stream(pipe_pair());
  for (int round = 0; round < 100; ++round) close_at_the_end_of_the_stream(tcp_pair());
}

TEST_CASE("both ends of a pipe are overlapped, not inheritable, and made by this process") {
  const auto ends = make_pipe({});
  REQUIRE(ends);
  for (const RawHandle end : {ends->server.get(), ends->client.get()}) {
    DWORD flags = HANDLE_FLAG_INHERIT;
    REQUIRE(GetHandleInformation(native(end), &flags));
    CHECK((flags & HANDLE_FLAG_INHERIT) == 0);
    CHECK(is_overlapped_pipe(end));
    CHECK(was_made_by(end, GetCurrentProcessId()));
    CHECK_FALSE(was_made_by(end, GetCurrentProcessId() + 4));
  }
}

TEST_CASE("a pipe made for another program's stream is synchronous at the child's end") {
  const auto ends = make_pipe({PIPE_ACCESS_OUTBOUND, GENERIC_READ, 0});
  REQUIRE(ends);
  CHECK(is_overlapped_pipe(ends->server.get()));
  CHECK_FALSE(is_overlapped_pipe(ends->client.get()));
}

TEST_CASE("a channel stays readable in time although the thread that first asked has ended") {
  auto pair = channel_pair();
  REQUIRE(pair);
  auto& [ours, theirs] = *pair;
  RawHandle readable = no_handle;
  std::thread([&, channel = &ours] { readable = channel->readable(); }).join();
  std::array<std::byte, 8> buffer;
  const auto nothing = ours.read_some(buffer);
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().condition == Condition::would_block);
  CHECK(wait_one(readable, Deadline::now()).error().condition == Condition::timed_out);
  REQUIRE(theirs.write_all(std::array{std::byte{7}}, Deadline::never()));
  CHECK(wait_one(readable, Deadline::after(std::chrono::seconds(30))));
  const auto count = ours.read_some(buffer);
  REQUIRE(count);
  CHECK(*count == 1);
  CHECK(buffer[0] == std::byte{7});
}

TEST_CASE("a channel that was asked about takes nothing from the next owner of its pipe") {
  auto pair = channel_pair();
  REQUIRE(pair);
  auto& [ours, theirs] = *pair;
  REQUIRE(ours.readable() != no_handle);
  REQUIRE(theirs.write_all(std::array{std::byte{1}, std::byte{2}}, Deadline::never()));
  auto copy = duplicate_handle(ours.get());
  REQUIRE(copy);
  auto next = Channel::adopt(Handle(*copy));
  REQUIRE(next);
  ours.close();
  std::array<std::byte, 2> buffer;
  REQUIRE(next->read_all(buffer, Deadline::after(std::chrono::seconds(30))));
  CHECK(buffer == std::array{std::byte{1}, std::byte{2}});
}

}  // namespace
}  // namespace multiprocessing::platform::win32

TEST_SUITE_END();
