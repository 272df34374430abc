// The named pipes under channels, and what becomes of reads that are pending when their thread ends.
#include <doctest/doctest.h>

#include <array>
#include <thread>

#include "contract/channel.hpp"
#include "pipe.hpp"

namespace multiprocessing::platform::win32 {
namespace {

TEST_SUITE_BEGIN("backend.pipe");

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
