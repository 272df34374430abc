// The end of a connection, as the side sees it that is left.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <future>
#include <string>
#include <vector>

#include "test_support/start_methods.hpp"

namespace api_connection_ends {

namespace mp = multiprocessing;
using mp::test_support::with_each_start_method;

void answer_unasked(mp::Connection connection) { connection.send(std::string("result")); }

TEST_SUITE("api.connection_ends") {
  TEST_CASE("what the peer had sent before it ended is received also after a send that failed") {
    auto [ours, theirs] = mp::Pipe();
    theirs.send(1);
    theirs.send(2);
    theirs.close();
    for (int i = 0; i < 2; ++i) {
      CHECK_THROWS_AS(ours.send(0), mp::ConnectionError);
      CHECK_FALSE(ours.closed());
      CHECK(ours.poll());
      CHECK(ours.recv<int>() == i + 1);
    }
    CHECK_THROWS_AS((void)ours.recv<int>(), mp::EOFError);
    CHECK_THROWS_AS(ours.send(0), mp::ConnectionError);
  }

  TEST_CASE("an answer that nobody asked for is received after the question failed") {
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = mp::Pipe();
      auto p = context.Process(answer_unasked, theirs);
      p.start();
      theirs.close();
      p.join();
      CHECK_THROWS_AS(ours.send(1), mp::ConnectionError);
      CHECK(ours.recv<std::string>() == "result");
      CHECK_THROWS_AS((void)ours.recv<int>(), mp::EOFError);
    });
  }

  TEST_CASE("a peer that ends in the middle of a long message leaves what it had sent") {
    auto [ours, theirs] = mp::Pipe();
    theirs.send(7);
    auto sent = std::async(std::launch::async, [&, &out = ours] {
      CHECK_THROWS_AS(out.send_bytes(std::vector<std::byte>(20'000'000)), mp::ConnectionError);
    });
    CHECK(theirs.poll(mp::infinite));
    theirs.close();
    sent.get();
    CHECK(ours.recv<int>() == 7);
    CHECK_THROWS_AS((void)ours.recv<int>(), mp::EOFError);
    CHECK_THROWS_AS(ours.send(0), mp::ConnectionError);
  }
}

}  // namespace api_connection_ends
