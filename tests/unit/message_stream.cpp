// Messages on a stream: what a wait that is given up leaves behind, and lengths that lie.
#include "connection/message_stream.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/fault.hpp"
#include "contract/handle_transfer.hpp"
#include "test_support/clean_plan.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"
#include "wire/handles.hpp"

namespace unit_message_stream {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;
using namespace mp::runtime;
using namespace mp::test_support;
using platform::Condition;
using platform::Deadline;

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

platform::Wakeup fired() {
  auto wakeup = must(platform::Wakeup::create());
  wakeup.notify();
  return wakeup;
}

TEST_SUITE("unit.message_stream") {
  TEST_CASE_FIXTURE(LeakCheck,
                    "a wait for announced handles that do not come can be given up, and taken up") {
    if (!platform::capabilities().handle_transfer) return;
    auto [left, right] = must(platform::channel_pair());
    using namespace std::string_view_literals;
    must(left.write_all(bytes("\xff\xff\xff\xfe\0\0\0\0\0\0\0\3\0\0\0\1"sv), patience()));
    MessageReader reader;
    CHECK(must(reader.wait_for_header(right, patience(), nullptr)) == 3);
    const auto wakeup = fired();
    CHECK(outcome(reader.take(right, Deadline::never(), &wakeup)) == Condition::cancelled);
    const platform::RawHandle raw = left.get();
    must(platform::send_handles(left, std::span(&raw, 1), patience()));
    CHECK(outcome(reader.take(right, Deadline::never(), &wakeup)) == Condition::cancelled);
    must(left.write_all(bytes("abc"), patience()));
    const auto message = must(reader.take(right, patience(), nullptr));
    CHECK(message.body.size() == 3);
    CHECK(message.handles.size() == 1);
  }

  TEST_CASE_FIXTURE(LeakCheck, "where some handles found no room the body can be given up, and taken up") {
    if (!platform::capabilities().handle_transfer) return;
    const CleanPlan clean;
    using namespace std::string_view_literals;
    for (std::uint64_t portion = 1; portion <= 3; ++portion) {
      CAPTURE(portion);
      auto [left, right] = must(platform::channel_pair());
      const std::vector<platform::RawHandle> handles(2 * platform::handles_per_transfer + 2, left.get());
      must(left.write_all(bytes("\xff\xff\xff\xfe\0\0\0\0\0\0\0\3\0\0\0\x82"sv), patience()));
      must(must(OutgoingHandles::prepare(handles)).send(left, patience()));
      MessageReader reader;
      CHECK(must(reader.wait_for_header(right, patience(), nullptr)) == 3);
      platform::fault_plan::fail(platform::Call::receive_handles, portion, Condition::out_of_handles);
      const auto wakeup = fired();
      CHECK(outcome(reader.take(right, Deadline::never(), &wakeup)) == Condition::cancelled);
      bool begun = false;
      must(left.write_all(bytes("abc"), patience()));
      must(send_message(left, bytes("next"), {}, nullptr, begun));
      CHECK(outcome(reader.take(right, patience(), nullptr)) == Condition::out_of_handles);
      CHECK(must(reader.wait_for_header(right, patience(), nullptr)) == 4);
      CHECK(must(reader.take(right, patience(), nullptr)).body.size() == 4);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "handles that find no room can be given up") {
    if (!platform::capabilities().drops_unreceived_handles) return;
    auto [left, right] = must(platform::channel_pair());
    const auto wakeup = fired();
    const std::vector<std::byte> much(100'000);
    while (left.write_all(much, Deadline::now())) continue;
    const platform::RawHandle raw = left.get();
    platform::Status sent;
    while (sent) sent = platform::send_handles(left, std::span(&raw, 1), Deadline::never(), &wakeup);
    CHECK(outcome(sent) == Condition::cancelled);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a message of which nothing went out is told from one that was begun") {
    auto [left, right] = must(platform::channel_pair());
    const auto wakeup = fired();
    const std::vector<std::byte> message(5'000'000, std::byte{7});
    bool begun = false;
    CHECK(outcome(send_message(left, message, {}, &wakeup, begun)) == Condition::cancelled);
    CHECK(begun);
    if (!platform::capabilities().half_close) return;  // there nobody knows
    begun = false;
    CHECK(outcome(send_message(left, message, {}, &wakeup, begun)) == Condition::cancelled);
    CHECK_FALSE(begun);
  }

  TEST_CASE_FIXTURE(LeakCheck, "nothing is allocated for a length that is a lie") {
    using namespace std::string_view_literals;
    for (const auto header : {"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff"sv, "\x7f\xff\xff\xff"sv}) {
      auto [left, right] = must(platform::channel_pair());
      must(left.write_all(bytes(header), patience()));
      must(left.write_all(bytes("some"), patience()));
      left.close();
      MessageReader reader;
      CHECK(outcome(reader.wait_for_header(right, patience(), nullptr)) == success);
      CHECK(outcome(reader.take(right, patience(), nullptr)) == Condition::broken);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "headers that are none, and too many handles, are corrupt") {
    using namespace std::string_view_literals;
    for (const auto header : {"\xff\xff\xff\xfd"sv, "\x80\0\0\0"sv, "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0"sv,
                              "\xff\xff\xff\xfe\0\0\0\0\0\0\0\3\xff\xff\xff\xff"sv,
                              "\xff\xff\xff\xfe\0\0\0\0\0\0\0\3\0\0\x10\1"sv}) {
      auto [left, right] = must(platform::channel_pair());
      must(left.write_all(bytes(header), patience()));
      MessageReader reader;
      CHECK(outcome(reader.wait_for_header(right, patience(), nullptr)) == Condition::corrupt);
    }
  }
}

}  // namespace unit_message_stream
