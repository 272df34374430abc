// What a connection says of a stream that ended early.
#include "connection/connection_state.hpp"

#include <doctest/doctest.h>
#include <multiprocessing/errors.hpp>

#include <string_view>
#include <utility>

#include "contract/capabilities.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace unit_connection_state {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;
using namespace mp::test_support;
using namespace std::string_view_literals;
using mp::detail::ConnectionState;

ConnectionState connection_on(platform::Channel channel) {
  return {std::move(channel), true, true, ConnectionState::Peer::ours};
}

TEST_SUITE("unit.connection_state") {
  TEST_CASE("the end of the stream between two messages is the peer's end") {
    auto [here, there] = must(platform::channel_pair());
    auto connection = connection_on(std::move(here));
    must(there.write_all(bytes_of("\0\0\0\1x"sv), patience()));
    there.close();
    CHECK(connection.receive({}, {}).bytes().size() == 1);
    for (int i = 0; i < 2; ++i)
      CHECK_THROWS_WITH_AS((void)connection.receive({}, {}), doctest::Contains("is closed, and all that"),
                           mp::EOFError);
  }

  TEST_CASE("the end of the stream inside a message says so") {
    for (const auto part : {"\0\0"sv, "\0\0\0\x10"sv, "\0\0\0\x10some"sv}) {
      CAPTURE(part.size());
      for (const bool into_buffer : {false, true}) {
        auto [here, there] = must(platform::channel_pair());
        auto connection = connection_on(std::move(here));
        must(there.write_all(bytes_of(part), patience()));
        there.close();
        std::vector<std::byte> buffer(100);
        const auto receive = [&] {
          if (into_buffer) return connection.receive_into(buffer, {});
          return connection.receive({}, {}).bytes().size();
        };
        for (int i = 0; i < 2; ++i)
          CHECK_THROWS_WITH_AS((void)receive(), doctest::Contains("in the middle of a message"),
                               mp::EOFError);
      }
    }
  }

  TEST_CASE("what is no message is told with the peer's address, where it has one") {
    for (const bool known : {false, true}) {
      auto [here, there] = must(platform::channel_pair());
      ConnectionState connection(std::move(here), true, true, ConnectionState::Peer::ours, {},
                                 known ? "there:5000" : "");
      must(there.write_all(bytes_of("\xff\xff\xff\x00"sv), patience()));
      CHECK_THROWS_WITH_AS((void)connection.receive({}, {}),
                           doctest::Contains(known ? "no message (there:5000); the connection is closed"
                                                   : "no message; the connection is closed"),
                           mp::OSError);
      CHECK(connection.closed());
    }
  }

  TEST_CASE("a peer that ended with something unread is told from one that took all") {
    if (!platform::capabilities().tells_unread) return;
    auto [here, there] = must(platform::channel_pair());
    auto connection = connection_on(std::move(here));
    connection.send(bytes_of("question"), {}, {});
    there.close();
    for (int i = 0; i < 2; ++i)
      CHECK_THROWS_WITH_AS((void)connection.receive({}, {}), doctest::Contains("without having read"),
                           mp::EOFError);
  }
}

}  // namespace unit_connection_state
