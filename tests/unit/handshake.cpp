// Both handshakes without a stream: what each side says, what it believes, and what a liar gets.
#include "connection/handshake.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>

#include "wire/digest.hpp"

namespace unit_handshake {

using namespace multiprocessing::runtime;
using multiprocessing::platform::Endpoint;
using Bytes = std::vector<std::byte>;
using Verdict = Handshake::Answer::Verdict;

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
Bytes key(std::string_view text) { return {as_bytes(text).begin(), as_bytes(text).end()}; }
Bytes joined(std::string_view text, std::span<const std::byte> more) {
  Bytes all = key(text);
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

const Endpoint here{Endpoint::Kind::inet, "127.0.0.1", 5000, {}};
const Endpoint elsewhere{Endpoint::Kind::inet, "127.0.0.1", 5001, {}};

struct Ends {
  std::unique_ptr<Handshake> listener;
  std::unique_ptr<Handshake> client;
};

struct Outcome {
  Verdict listener = Verdict::undecided;
  Verdict client = Verdict::undecided;
};

/// Lets the two talk until neither has anything to say; `between` may change what passes.
template <class Between>
Outcome talk(Ends& ends, Between between) {
  Outcome outcome;
  Bytes message = ends.listener->begin();
  CHECK(ends.client->begin().empty());
  for (int turn = 0; !message.empty() && turn < 20; ++turn) {
    const bool to_client = turn % 2 == 0;
    between(turn, message);
    auto answer = (to_client ? ends.client : ends.listener)->hear(message);
    (to_client ? outcome.client : outcome.listener) = answer.verdict;
    message = std::move(answer.reply);
  }
  return outcome;
}
Outcome talk(Ends& ends) {
  return talk(ends, [](int, Bytes&) {});
}

Ends native(std::string_view left, std::string_view right, const Endpoint& to = here, bool local = true) {
  return {make_native_handshake(Role::listener, key(left), here, local),
          make_native_handshake(Role::client, key(right), to, local)};
}

TEST_SUITE("unit.handshake") {
  TEST_CASE("ours: the same key is accepted by both") {
    auto ends = native("key", "key");
    const auto outcome = talk(ends);
    CHECK(outcome.listener == Verdict::accepted);
    CHECK(outcome.client == Verdict::accepted);
    CHECK_FALSE(ends.listener->seal().has_value());
    CHECK_FALSE(ends.client->seal().has_value());
  }

  TEST_CASE("ours: another key, and a proof for another address, are refused by both") {
    for (auto ends : {std::make_shared<Ends>(native("key", "kez")),
                      std::make_shared<Ends>(native("key", "key", elsewhere))}) {
      const auto outcome = talk(*ends);
      CHECK(outcome.listener == Verdict::refused);
      CHECK(outcome.client == Verdict::refused);
    }
  }

  TEST_CASE("ours: any bit that is changed on the way is noticed by somebody") {
    auto honest = native("key", "key");
    std::vector<std::size_t> sizes;
    talk(honest, [&](int, const Bytes& message) { sizes.push_back(message.size()); });
    CHECK(sizes.size() == 3);
    for (std::size_t turn = 0; turn < sizes.size(); ++turn)
      for (std::size_t at = 0; at < sizes[turn]; ++at) {
        auto ends = native("key", "key");
        const auto outcome = talk(ends, [&](int now, Bytes& message) {
          if (static_cast<std::size_t>(now) == turn) message[at] ^= std::byte{1};
        });
        CHECK((outcome.listener != Verdict::accepted || outcome.client != Verdict::accepted));
      }
  }

  TEST_CASE("ours: a message that is cut or grown is refused") {
    for (const int turn : {0, 1, 2})
      for (const bool grow : {false, true}) {
        auto ends = native("key", "key");
        const auto outcome = talk(ends, [&](int now, Bytes& message) {
          if (now == turn) message.resize(grow ? message.size() + 1 : message.size() - 1);
        });
        CHECK((outcome.listener != Verdict::accepted || outcome.client != Verdict::accepted));
      }
  }

  TEST_CASE("ours: what was said once is not believed again") {
    Bytes said;
    auto first = native("key", "key");
    talk(first, [&](int turn, const Bytes& message) {
      if (turn == 1) said = message;
    });
    for (int i = 0; i < 1000; ++i) {
      auto again = make_native_handshake(Role::listener, key("key"), here, true);
      static_cast<void>(again->begin());
      CHECK(again->hear(said).verdict == Verdict::refused);
    }
  }

  TEST_CASE("ours: what comes back to the one who said it proves nothing") {
    auto ends = native("key", "key");
    const auto challenge = ends.listener->begin();
    const auto proof = ends.client->hear(challenge).reply;
    CHECK(ends.client->hear(proof).verdict == Verdict::refused);
    auto listener = make_native_handshake(Role::listener, key("key"), here, true);
    CHECK(listener->hear(listener->begin()).verdict == Verdict::refused);
  }

  TEST_CASE("ours: both get the same keys for each direction if one side wants them") {
    auto ends = native("key", "key", here, false);
    talk(ends);
    const auto listener = ends.listener->seal();
    const auto client = ends.client->seal();
    REQUIRE(listener.has_value());
    REQUIRE(client.has_value());
    CHECK(listener->to_send == client->to_receive);
    CHECK(listener->to_receive == client->to_send);
    CHECK(listener->to_send != listener->to_receive);
    Ends mixed{make_native_handshake(Role::listener, key("key"), here, true),
               make_native_handshake(Role::client, key("key"), here, false)};
    CHECK(talk(mixed).listener == Verdict::accepted);
    CHECK(mixed.listener->seal().has_value());
    CHECK(mixed.client->seal().has_value());
  }

  TEST_CASE("Python's: both ends of ours understand each other, and refuse another key") {
    for (const bool same : {true, false}) {
      Ends ends{make_python_handshake(Role::listener, key("key")),
                make_python_handshake(Role::client, key(same ? "key" : "kez"))};
      const auto outcome = talk(ends);
      CHECK(outcome.listener == (same ? Verdict::accepted : Verdict::refused));
      CHECK(outcome.client == (same ? Verdict::accepted : Verdict::refused));
    }
  }

  // What Python 3.11 and 3.12 say, written after deliver_challenge() and answer_challenge() of
  // Lib/multiprocessing/connection.py.
  TEST_CASE("Python's: a listener of 3.12 or later asks, and answers, with a named digest") {
    for (const std::string prefix : {"{sha256}", "{md5}"}) {
      auto client = make_python_handshake(Role::client, key("key"));
      static_cast<void>(client->begin());
      const Bytes asked = joined(prefix, as_bytes(std::string(40, 'r')));
      const auto answer = client->hear(joined("#CHALLENGE#", asked));
      const Bytes expected = prefix == "{md5}" ? joined(prefix, hmac<Md5>(key("key"), asked))
                                               : joined(prefix, hmac<Sha256>(key("key"), asked));
      CHECK(answer.reply == expected);
      const auto challenge = client->hear(as_bytes("#WELCOME#")).reply;
      REQUIRE(challenge.size() == 11 + 8 + 40);
      CHECK(std::string_view(reinterpret_cast<const char*>(challenge.data()), 19) == "#CHALLENGE#{sha256}");
      const auto ours = std::span<const std::byte>(challenge).subspan(11);
      const auto last = client->hear(joined("{sha256}", hmac<Sha256>(key("key"), ours)));
      CHECK(last.verdict == Verdict::accepted);
      CHECK(last.reply == key("#WELCOME#"));
    }
  }

  TEST_CASE("Python's: a listener of 3.11 asks without a name, and answers with bare MD5") {
    auto client = make_python_handshake(Role::client, key("key"));
    static_cast<void>(client->begin());
    const std::string asked(20, '{');
    CHECK(client->hear(joined("#CHALLENGE#", as_bytes(asked))).reply ==
          joined("", hmac<Md5>(key("key"), as_bytes(asked))));
    const auto challenge = client->hear(as_bytes("#WELCOME#")).reply;
    const auto ours = std::span<const std::byte>(challenge).subspan(11);
    CHECK(client->hear(joined("", hmac<Md5>(key("key"), ours))).verdict == Verdict::accepted);
  }

  TEST_CASE("Python's: clients of both generations are believed, and nonsense is not") {
    for (const int way : {0, 1, 2, 3, 4, 5}) {
      auto listener = make_python_handshake(Role::listener, key("key"));
      const auto challenge = listener->begin();
      const auto ours = std::span<const std::byte>(challenge).subspan(11);
      Bytes answer;
      if (way == 0) answer = joined("{sha256}", hmac<Sha256>(key("key"), ours));
      if (way == 1) answer = joined("", hmac<Md5>(key("key"), ours));
      if (way == 2) answer = joined("{md5}", hmac<Md5>(key("key"), ours));
      if (way == 3) answer = joined("{sha1}", hmac<Sha256>(key("key"), ours));
      if (way == 4) answer = joined("", hmac<Sha256>(key("key"), ours));
      const auto reply = listener->hear(answer);
      CHECK(reply.reply == key(way < 3 ? "#WELCOME#" : "#FAILURE#"));
      CHECK(reply.verdict == (way < 3 ? Verdict::undecided : Verdict::refused));
    }
  }

  TEST_CASE("Python's: a challenge that asks for an unknown digest, or is too short, is refused") {
    for (const std::string asked :
         {"#CHALLENGE#{whirlpool}xxxxxxxxxxxxxxxxxxxx", "#CHALLENGE#", "#WELCOME#", ""}) {
      auto client = make_python_handshake(Role::client, key("key"));
      static_cast<void>(client->begin());
      CHECK(client->hear(as_bytes(asked)).verdict == Verdict::refused);
    }
  }
}

}  // namespace unit_handshake
