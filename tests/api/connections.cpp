// Pipes: messages of every kind, their ends, and connections on their way to other processes.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "test_support/abilities.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/start_methods.hpp"

namespace api_connections {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::with_each_start_method;

struct Point {
  int x = 0;
  std::string name;
  bool operator==(const Point&) const = default;
};

std::vector<std::byte> bytes(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

/// Sends back what comes, until "end": a forked child holds a copy of every end, so that there is no other.
void echo(mp::Connection connection) {
  for (;;) {
    const auto message = connection.recv_bytes();
    if (message == bytes("end")) return;
    connection.send_bytes(message);
  }
}

struct Post {
  int number = 0;
  std::vector<mp::Connection> connections;
};
void answer_all(Post post) {
  for (auto& each : post.connections) each.send(post.number++);
}

/// Receives a connection and speaks through it.
void speak_through(mp::Connection connection) {
  auto other = connection.recv<mp::Connection>();
  other.send(std::string("through ") + (other.readable() ? "both" : "one"));
}

/// The other end of what it makes travels back.
void open_another(mp::Connection connection) {
  auto [mine, yours] = mp::Pipe();
  connection.send(Post{7, [&] {
                         std::vector<mp::Connection> all;
                         all.push_back(std::move(yours));
                         return all;
                       }()});
  mine.send(mine.recv<int>() + 1);
}

/// Through itself, or not.
void send_itself(mp::Connection connection) {
  try {
    connection.send(connection);
    mp::exit(1);
  } catch (const mp::OSError&) {
  }
}

void wait_for_end(mp::Connection connection) {
  try {
    connection.recv_bytes();
  } catch (const mp::EOFError&) {
  }
}

void say_and_wait(mp::Connection connection) {
  connection.send("here");
  wait_for_end(std::move(connection));
}

TEST_SUITE("api.connections") {
  TEST_CASE("values of many types arrive as they were sent") {
    auto [a, b] = mp::Pipe();
    a.send(42);
    a.send("a literal");
    a.send(std::string_view("a view"));
    a.send(std::vector{1.5, -2.5});
    a.send(Point{3, "three"});
    a.send(std::map<std::string, std::optional<int>>{{"one", 1}, {"none", {}}});
    a.send(std::make_unique<int>(9));
    const std::array numbers = {1, 2, 3};
    a.send(std::span<const int>(numbers));
    CHECK(b.recv<int>() == 42);
    CHECK(b.recv<std::string>() == "a literal");
    CHECK(b.recv<std::string>() == "a view");
    CHECK(b.recv<std::vector<double>>() == std::vector{1.5, -2.5});
    CHECK(b.recv<Point>() == Point{3, "three"});
    CHECK(b.recv<std::map<std::string, std::optional<int>>>().at("one") == 1);
    CHECK(*b.recv<std::unique_ptr<int>>() == 9);
    CHECK(b.recv<std::vector<int>>() == std::vector{1, 2, 3});
    b.send(std::string());
    CHECK(a.recv<std::string>().empty());
  }

  TEST_CASE("a message of another type is a TypeError, and the next one is intact") {
    auto [a, b] = mp::Pipe();
    a.send(1);
    a.send_bytes("raw");
    a.send_bytes("");
    a.send(2);
    CHECK_THROWS_WITH_AS((void)b.recv<std::string>(), doctest::Contains("another type than std::"),
                         mp::TypeError);
    CHECK_THROWS_AS((void)b.recv<int>(), mp::TypeError);
    CHECK_THROWS_AS((void)b.recv<int>(), mp::TypeError);
    CHECK(b.recv<int>() == 2);
  }

  TEST_CASE("bytes: a part of them, none of them, and into a buffer") {
    auto [a, b] = mp::Pipe();
    a.send_bytes("hello world", 6);
    a.send_bytes("hello world", 2, 3);
    a.send_bytes("hello world", 11);
    a.send_bytes(bytes("abc"));
    CHECK(b.recv_bytes() == bytes("world"));
    CHECK(b.recv_bytes() == bytes("llo"));
    CHECK(b.recv_bytes().empty());
    std::array<std::byte, 8> buffer{};
    CHECK(b.recv_bytes_into(buffer, 4) == 3);
    CHECK(buffer[4] == std::byte{'a'});
    CHECK(buffer[3] == std::byte{0});
    CHECK_THROWS_WITH_AS(a.send_bytes("abc", 4), doctest::Contains("offset 4"), mp::ValueError);
    CHECK_THROWS_AS(a.send_bytes("abc", 1, 3), mp::ValueError);
    CHECK_THROWS_AS((void)b.recv_bytes_into(buffer, 9), mp::ValueError);
    CHECK_FALSE(b.poll());  // what was refused was not sent
  }

  TEST_CASE("a message that is too long for its buffer is not lost") {
    auto [a, b] = mp::Pipe();
    a.send_bytes("0123456789");
    a.send_bytes("next");
    std::array<std::byte, 4> buffer{};
    try {
      (void)b.recv_bytes_into(buffer, 1);
      FAIL("it did not fit");
    } catch (const mp::BufferTooShort& error) {
      CHECK(error.message() == bytes("0123456789"));
    }
    CHECK(b.recv_bytes_into(buffer) == 4);
  }

  TEST_CASE("a message longer than allowed closes the connection") {
    auto [a, b] = mp::Pipe();
    a.send_bytes("12345");
    CHECK(b.recv_bytes(5) == bytes("12345"));
    a.send_bytes("123456");
    CHECK_THROWS_WITH_AS((void)b.recv_bytes(5), doctest::Contains("6 bytes came where 5"), mp::OSError);
    CHECK(b.closed());
    CHECK_THROWS_AS((void)b.recv_bytes(5), mp::OSError);
  }

  TEST_CASE("a one-way pipe: the reader does not send, the writer does not receive") {
    auto [reader, writer] = mp::Pipe(false);
    CHECK(reader.readable());
    CHECK_FALSE(reader.writable());
    CHECK(writer.writable());
    CHECK_FALSE(writer.readable());
    CHECK_THROWS_WITH_AS(reader.send(1), doctest::Contains("read-only"), mp::OSError);
    CHECK_THROWS_WITH_AS((void)writer.recv<int>(), doctest::Contains("write-only"), mp::OSError);
    CHECK_THROWS_WITH_AS((void)writer.poll(), doctest::Contains("write-only"), mp::OSError);
    writer.send(5);
    CHECK(reader.recv<int>() == 5);
  }

  TEST_CASE("the end: what was sent is received, then EOFError") {
    auto [a, b] = mp::Pipe();
    a.send(1);
    a.close();
    a.close();
    CHECK(a.closed());
    CHECK(b.poll());
    CHECK(b.recv<int>() == 1);
    CHECK(b.poll());  // the end is something to find
    CHECK_THROWS_AS((void)b.recv<int>(), mp::EOFError);
    CHECK_THROWS_AS((void)b.recv_bytes(), mp::EOFError);
    CHECK_THROWS_AS(b.send(1), mp::ConnectionError);
  }

  TEST_CASE("a closed connection refuses everything but to be closed") {
    auto [a, b] = mp::Pipe();
    a.close();
    mp::Connection none;
    for (auto* each : {&a, &none}) {
      CHECK(each->closed());
      CHECK_THROWS_WITH_AS(each->send(1), doctest::Contains("closed"), mp::OSError);
      CHECK_THROWS_AS((void)each->recv<int>(), mp::OSError);
      CHECK_THROWS_AS(each->send_bytes("x"), mp::OSError);
      CHECK_THROWS_AS((void)each->recv_bytes(), mp::OSError);
      CHECK_THROWS_AS((void)each->poll(), mp::OSError);
      CHECK_THROWS_AS((void)each->poll(1s), mp::OSError);
      CHECK_THROWS_AS((void)each->fileno(), mp::OSError);
      CHECK_THROWS_AS((void)mp::connection::wait(std::span<mp::Connection>(each, 1)), mp::OSError);
      CHECK_THROWS_AS(mp::Process(echo, *each), mp::OSError);
      each->close();
    }
  }

  TEST_CASE("poll looks, or waits as long as it may") {
    auto [a, b] = mp::Pipe();
    CHECK_FALSE(b.poll());
    CHECK_FALSE(b.poll(-1s));
    CHECK_FALSE(b.poll(10ms));
    a.send(1);
    CHECK(b.poll());
    CHECK(b.poll(mp::infinite));
    CHECK(b.recv<int>() == 1);
    CHECK_FALSE(b.poll());
  }

  TEST_CASE("a wait that is given up loses nothing") {
    auto [a, b] = mp::Pipe();
    mp::StopSource source;
    source.request_stop();
    CHECK_THROWS_AS((void)b.recv<int>(source.token()), mp::CancelledError);
    CHECK_THROWS_AS((void)b.poll(mp::infinite, source.token()), mp::CancelledError);
    a.send(1);
    CHECK(b.recv<int>(source.token()) == 1);  // what is there is taken
  }

  TEST_CASE("a move leaves a closed connection") {
    auto [a, b] = mp::Pipe();
    mp::Connection c = std::move(a);
    CHECK(a.closed());
    c.send(1);
    CHECK(b.recv<int>() == 1);
    c = mp::Connection();
    CHECK_THROWS_AS((void)b.recv<int>(), mp::EOFError);
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "a child echoes messages of all sizes") {
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = mp::Pipe();
      auto p = context.Process(echo, theirs);
      p.start();
      theirs.close();
      for (const unsigned size : {0U, 1U, 100U, 16U * 1024, 16U * 1024 + 1, 300'000U}) {
        std::vector<std::byte> message(size);
        for (std::size_t i = 0; i < size; ++i) message[i] = static_cast<std::byte>(i * 7);
        std::thread sender([&, &connection = ours] { connection.send_bytes(message); });
        CHECK(ours.recv_bytes() == message);
        sender.join();
      }
      ours.send_bytes("end");
      p.join();
      CHECK(p.exitcode() == 0);
    });
  }

  TEST_CASE("64 MiB there and back") {
    auto [ours, theirs] = mp::Pipe();
    mp::Process p(echo, std::move(theirs));
    p.start();
    std::vector<std::byte> message(64 << 20, std::byte{0x5a});
    message.back() = std::byte{1};
    std::thread sender([&, &connection = ours] { connection.send_bytes(message); });
    CHECK(ours.recv_bytes() == message);
    sender.join();
    ours.send_bytes("end");
    p.join();
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "connections in aggregates and containers are arguments") {
    with_each_start_method([](mp::Context& context) {
      std::vector<mp::Connection> kept;
      Post post{10, {}};
      for (int i = 0; i < 70; ++i) {
        auto [ours, theirs] = mp::Pipe();
        kept.push_back(std::move(ours));
        post.connections.push_back(std::move(theirs));
      }
      auto p = context.Process(answer_all, std::move(post));
      p.start();
      for (int i = 0; i < 70; ++i) CHECK(kept[static_cast<std::size_t>(i)].recv<int>() == 10 + i);
      p.join();
      CHECK_THROWS_AS((void)kept.front().recv<int>(), mp::EOFError);
    });
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "connections travel through connections") {
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = mp::Pipe();
      auto p = context.Process(speak_through, std::move(theirs));
      p.start();
      auto [reader, writer] = mp::Pipe(false);
      ours.send(writer);
      CHECK(reader.recv<std::string>() == "through one");
      p.join();
      writer.close();  // kept until here: the sender's own
      CHECK_THROWS_AS((void)reader.recv<std::string>(), mp::EOFError);
    });
  }

  TEST_CASE("a child's connection arrives, and goes on working") {
    with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = mp::Pipe();
      auto p = context.Process(open_another, std::move(theirs));
      p.start();
      auto post = ours.recv<Post>();
      CHECK(post.number == 7);
      REQUIRE(post.connections.size() == 1);
      post.connections[0].send(41);
      CHECK(post.connections[0].recv<int>() == 42);
      p.join();
    });
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "handles that nobody takes are closed") {
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    a.send(c);
    a.send(c);
    a.send(1);
    c.close();
    CHECK_THROWS_AS((void)b.recv<int>(), mp::TypeError);
    CHECK_FALSE(b.recv_bytes().empty());
    CHECK_THROWS_AS((void)d.recv<int>(), mp::EOFError);  // no copy is left
    CHECK(b.recv<int>() == 1);
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "handles that are sent and never received are closed") {
    if (!mp::test_support::drops_unreceived_handles()) {
      mp::test_support::skip("they are closed with the process that sent them");
      return;
    }
    auto [c, d] = mp::Pipe();
    {
      auto [a, b] = mp::Pipe();
      a.send(c);
    }
    c.close();
    CHECK_THROWS_AS((void)d.recv<int>(), mp::EOFError);
  }

  TEST_CASE("through a connection whose native handle was given away no handle is sent, and the rest is") {
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    a.send(c);
    CHECK_FALSE(b.recv<mp::Connection>().closed());
    CHECK(a.fileno() != mp::NativeHandle());
    c.send(a);
    auto copy = d.recv<mp::Connection>();
    for (auto* each : {&a, &copy}) {
      CHECK_THROWS_WITH_AS(each->send(c), doctest::Contains("do not travel"), mp::OSError);
      each->send(17);
      CHECK(b.recv<int>() == 17);
    }
    mp::SpawnProcess p(send_itself, a);
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    // What the other end says is understood as before.
    b.send(d);
    CHECK_FALSE(a.recv<mp::Connection>().closed());
  }

  TEST_CASE("handles do not travel where nothing can carry them") {
    auto [a, b] = mp::Pipe();
    CHECK_THROWS_WITH_AS((void)mp::call([] { return std::move(mp::Pipe().first); }),
                         doctest::Contains("as an argument of a process or through a Connection"),
                         mp::SerializationError);
  }

  TEST_CASE("messages of several threads do not mix, and each is received once") {
    auto [a, b] = mp::Pipe();
    constexpr int threads = 4, each = 200;
    std::atomic<long> sum{0};
    std::vector<std::thread> all;
    for (int t = 0; t < threads; ++t) {
      all.emplace_back([&, &connection = a] {
        for (int i = 0; i < each; ++i) connection.send(std::vector<int>(static_cast<std::size_t>(i), i));
      });
      all.emplace_back([&, &connection = b] {
        for (int i = 0; i < each; ++i) {
          const auto message = connection.recv<std::vector<int>>();
          if (std::ranges::all_of(message, [&](int n) { return n == static_cast<int>(message.size()); }))
            sum += static_cast<long>(message.size());
        }
      });
    }
    for (auto& thread : all) thread.join();
    CHECK(sum == threads * (each * (each - 1) / 2));
  }

  TEST_CASE("connections, processes and native handles are waited for together") {
    auto [a, b] = mp::Pipe();
    auto [c, d] = mp::Pipe();
    mp::SpawnProcess p(wait_for_end, d);
    p.start();
    d.close();
    const std::vector<mp::Waitable> all = {b, p, mp::Waitable(p.sentinel().native_handle())};
    CHECK(mp::connection::wait(all, 0s).empty());
    a.send(1);
    const auto ready = mp::connection::wait(all);
    REQUIRE(ready.size() == 1);
    CHECK(ready[0] == mp::Waitable(b));
    CHECK(b.recv<int>() == 1);
    c.close();
    const auto ended = mp::connection::wait(all);
    REQUIRE(ended.size() == 2);
    CHECK(ended[0] == mp::Waitable(p));
    p.join();
  }

  TEST_CASE("a hundred connections, again and again") {
    std::vector<std::pair<mp::Connection, mp::Connection>> pipes;
    for (int i = 0; i < 100; ++i) pipes.push_back(mp::Pipe());
    for (int round = 0; round < 20; ++round) {
      std::vector<mp::Waitable> all;
      for (auto& pipe : pipes) all.emplace_back(pipe.second);
      auto& chosen = pipes[static_cast<std::size_t>(round * 37 % 100)];
      chosen.first.send(round);
      const auto ready = mp::connection::wait(all);
      REQUIRE(ready.size() == 1);
      CHECK(ready[0] == mp::Waitable(chosen.second));
      CHECK(chosen.second.recv<int>() == round);
      chosen = mp::Pipe();  // with the numbers of the one before
    }
  }

  TEST_CASE("a child that is killed ends its connection") {
    auto [ours, theirs] = mp::Pipe();
    mp::SpawnProcess p(say_and_wait, std::move(theirs));
    p.start();
    CHECK(ours.recv<std::string>() == "here");
    p.kill();
    CHECK_THROWS_AS((void)ours.recv<int>(), mp::EOFError);
    p.join();
  }
}

}  // namespace api_connections
