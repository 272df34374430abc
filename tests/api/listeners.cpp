// Listener and Client: addresses of every kind, keys, what is refused, and who waits for whom.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace api_listeners {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::LeakCheck;
using mp::test_support::with_each_start_method;

std::vector<std::byte> key(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

/// Those that this system has.
std::vector<mp::Family> families() {
  std::vector<mp::Family> all;
  for (const auto family : {mp::Family::inet, mp::Family::inet6, mp::Family::unix_socket, mp::Family::pipe}) {
    try {
      const mp::Listener listener({}, {.family = family});
      all.push_back(family);
    } catch (const mp::OSError&) {
    }
  }
  return all;
}

/// A client in a thread of its own.
std::future<mp::Connection> connecting(const mp::Address& address, mp::ClientOptions options = {}) {
  return std::async(std::launch::async, [=] { return mp::Client(address, options); });
}

void greet(mp::Address address, std::vector<std::byte> secret) {
  auto connection = mp::Client(address, {.authkey = secret});
  connection.send(connection.recv<int>() + 1);
}

/// Hands its end of a pipe to whoever listens there.
void send_a_pipe(mp::Address address, std::vector<std::byte> secret) {
  auto connection = mp::Client(address, {.authkey = secret});
  auto [mine, yours] = mp::Pipe();
  connection.send(yours);
  mine.send(mine.recv<int>() * 2);
}

struct Desk {
  std::string name;
  std::vector<mp::Connection> callers;
};
void serve(mp::Connection caller) { caller.send("clerk got " + caller.recv<std::string>()); }
void serve_desk(mp::Connection boss) {
  auto desk = boss.recv<Desk>();
  for (auto& caller : desk.callers) caller.send(desk.name + " got " + caller.recv<std::string>());
}

struct Pair {
  mp::Connection client;
  mp::Connection server;
};
Pair pair_through(mp::Listener& listener, mp::ClientOptions options = {}) {
  auto client = connecting(listener.address(), std::move(options));
  auto server = listener.accept();
  return {client.get(), std::move(server)};
}

/// Children answer over `near`, which is an argument of one and sent to the other; then it is ours again.
void lend(mp::Context& context, mp::Connection& near, mp::Connection& far) {
  CHECK_FALSE(near.poll());
  auto clerk = context.Process(serve, near);
  clerk.start();
  far.send("one");
  CHECK(far.recv<std::string>() == "clerk got one");
  clerk.join();
  CHECK_FALSE(near.poll());

  auto [mine, theirs] = context.Pipe();
  auto deputy = context.Process(serve_desk, theirs);
  deputy.start();
  Desk desk{"deputy", {}};
  desk.callers.push_back(std::move(near));
  mine.send(desk);
  near = std::move(desk.callers.front());
  far.send("two");
  CHECK(far.recv<std::string>() == "deputy got two");
  deputy.join();

  far.send("three");
  CHECK(near.recv<std::string>() == "three");
  near.send("four");
  CHECK(far.recv<std::string>() == "four");
}

TEST_SUITE("api.listeners") {
  TEST_CASE("every family, with and without a key, carries messages both ways") {
    CHECK_FALSE(families().empty());
    for (const auto family : families())
      for (const bool with_key : {false, true}) {
        CAPTURE(static_cast<int>(family));
        CAPTURE(with_key);
        const auto secret = with_key ? std::optional(key("secret")) : std::nullopt;
        mp::Listener listener({}, {.family = family, .authkey = secret});
        auto [client, server] = pair_through(listener, {.family = family, .authkey = secret});
        client.send(std::string("there"));
        CHECK(server.recv<std::string>() == "there");
        server.send(17);
        CHECK(client.recv<int>() == 17);
        server.close();
        CHECK_THROWS_AS((void)client.recv<int>(), mp::EOFError);
      }
  }

  TEST_CASE_FIXTURE(LeakCheck, "the default address is of this user alone, and gone afterwards") {
    mp::Address address;
    {
      mp::Listener listener;
      address = listener.address();
      CHECK_FALSE(address.path().empty());
      CHECK_FALSE(listener.last_accepted().has_value());
      auto [client, server] = pair_through(listener);
    }
    CHECK_THROWS_AS((void)mp::Client(address), mp::OSError);
  }

  TEST_CASE("an address says where it is") {
    CHECK(mp::Address("localhost", 5000).to_string() == "localhost:5000");
    CHECK(mp::Address("::1", 1).to_string() == "[::1]:1");
    CHECK(mp::Address("/tmp/x").to_string() == "/tmp/x");
    CHECK(mp::Address().empty());
    CHECK(mp::Address("", 1) != mp::Address("", 2));
    std::ostringstream out;
    out << mp::Address("h", 7);
    CHECK(out.str() == "h:7");
    auto [a, b] = mp::Pipe();
    a.send(mp::Address("host", 80));
    CHECK(b.recv<mp::Address>() == mp::Address("host", 80));
  }

  TEST_CASE("last_accepted is the peer's address") {
    for (const auto family : families()) {
      if (family != mp::Family::inet) continue;
      mp::Listener listener({"localhost", 0});
      CHECK(listener.address().host() == "127.0.0.1");
      CHECK(listener.address().port() != 0);
      auto [client, server] = pair_through(listener);
      REQUIRE(listener.last_accepted().has_value());
      CHECK(listener.last_accepted()->host() == "127.0.0.1");
      CHECK(listener.last_accepted()->port() != listener.address().port());
    }
  }

  TEST_CASE("a wrong key is an AuthenticationError on both sides, and the listener serves on") {
    for (const auto protocol : {mp::Protocol::native, mp::Protocol::python})
      for (const auto family : families()) {
        if (family == mp::Family::pipe && protocol == mp::Protocol::python) continue;
        mp::Listener listener({}, {.family = family, .authkey = key("right"), .protocol = protocol});
        auto wrong = connecting(listener.address(), {.authkey = key("wrong"), .protocol = protocol});
        CHECK_THROWS_AS((void)listener.accept(), mp::AuthenticationError);
        CHECK_THROWS_AS(wrong.get(), mp::AuthenticationError);
        auto [client, server] = pair_through(listener, {.authkey = key("right"), .protocol = protocol});
        client.send(1);
        CHECK(server.recv<int>() == 1);
      }
  }

  TEST_CASE("two protocols do not understand each other, and say so") {
    mp::Listener listener(
        {}, {.family = families().front(), .authkey = key("k"), .protocol = mp::Protocol::python});
    CHECK(mp::connection::wait({listener}, 0s).empty());  // from now on peers are heard
    auto client = connecting(listener.address(), {.authkey = key("k")});
    CHECK_THROWS_WITH_AS(client.get(), doctest::Contains("protocol"), mp::AuthenticationError);
  }

  TEST_CASE("bad arguments are named") {
    CHECK_THROWS_AS(mp::Listener({}, {.authkey = std::vector<std::byte>()}), mp::ValueError);
    CHECK_THROWS_AS(mp::Listener({}, {.backlog = -1}), mp::ValueError);
    CHECK_THROWS_AS((void)mp::Client(mp::Address()), mp::ValueError);
    CHECK_THROWS_AS((void)mp::Client({"localhost", 1}, {.authkey = std::vector<std::byte>()}),
                    mp::ValueError);
    CHECK_THROWS_WITH_AS(mp::Address("h", 65536), doctest::Contains("65536"), mp::ValueError);
    CHECK_THROWS_AS(mp::Address("h", -1), mp::ValueError);
    CHECK_THROWS_AS(mp::Address(std::string("a\0b", 3)), mp::ValueError);
    CHECK_THROWS_AS(mp::Listener({"localhost", 0}, {.family = mp::Family::unix_socket}), mp::ValueError);
    CHECK_THROWS_AS(mp::Listener("/tmp/x", {.family = mp::Family::inet}), mp::ValueError);
    CHECK_THROWS_AS(mp::Listener("\\\\server\\pipe\\x"), mp::ValueError);
    CHECK_THROWS_WITH_AS(mp::Listener({}, {.family = "AF_NONSENSE"}), doctest::Contains("AF_NONSENSE"),
                         mp::ValueError);
  }

  TEST_CASE("Python's names of families are understood") {
    mp::Listener listener({}, {.family = "AF_INET"});
    CHECK(listener.address().port() != 0);
  }

  TEST_CASE("other machines are let in only on purpose, and with a key") {
    CHECK_THROWS_WITH_AS(mp::Listener({"0.0.0.0", 0}, {.authkey = key("k")}),
                         doctest::Contains("allow_remote"), mp::ValueError);
    CHECK_THROWS_AS(mp::Listener({"", 0}, {.authkey = key("k")}), mp::ValueError);
    CHECK_THROWS_WITH_AS(mp::Listener({"0.0.0.0", 0}, {.allow_remote = true}), doctest::Contains("authkey"),
                         mp::ValueError);
    mp::Listener listener({"0.0.0.0", 0}, {.authkey = key("k"), .allow_remote = true});
    auto client = connecting({"127.0.0.1", listener.address().port()}, {.authkey = key("k")});
    auto server = listener.accept();
    server.send(1);
    CHECK(client.get().recv<int>() == 1);
  }

  TEST_CASE("an address in use, one where nobody listens, and one that is nonsense are OSErrors") {
    mp::Listener listener({"127.0.0.1", 0});
    const auto address = listener.address();
    CHECK_THROWS_WITH_AS(mp::Listener{address}, doctest::Contains(address.to_string().c_str()), mp::OSError);
    listener.close();
    CHECK_THROWS_AS((void)mp::Client(address), mp::ConnectionError);
    CHECK_THROWS_AS(mp::Listener({"no such host", 1}), mp::OSError);
    CHECK_THROWS_AS(mp::Listener(std::string(5000, 'x')), mp::OSError);
    CHECK_THROWS_AS((void)mp::Client("/no/such/folder/socket"), mp::OSError);
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "accept gives up with its time, with a stop, and when the listener is closed") {
    mp::Listener listener;
    CHECK_THROWS_AS((void)listener.accept(0s), mp::TimeoutError);
    CHECK_THROWS_AS((void)listener.accept(1ms), mp::TimeoutError);
    mp::StopSource stop;
    auto waiting = std::async(std::launch::async, [&] { (void)listener.accept(stop.token()); });
    stop.request_stop();
    CHECK_THROWS_AS(waiting.get(), mp::CancelledError);
    std::vector<std::future<void>> several;
    for (int i = 0; i < 3; ++i)
      several.push_back(std::async(std::launch::async, [&] { (void)listener.accept(); }));
    listener.close();
    listener.close();
    for (auto& each : several) CHECK_THROWS_WITH_AS(each.get(), doctest::Contains("closed"), mp::OSError);
    CHECK(listener.closed());
    CHECK_THROWS_AS((void)listener.accept(), mp::OSError);
    CHECK_THROWS_AS((void)listener.address(), mp::OSError);
  }

  TEST_CASE("a client gives up with its time and with a stop") {
    mp::Listener listener({}, {.authkey = key("k")});  // nobody accepts: no first word comes
    CHECK_THROWS_AS((void)mp::Client(listener.address(), {.authkey = key("k"), .timeout = 1ms}),
                    mp::TimeoutError);
    mp::StopSource stop;
    auto waiting = std::async(std::launch::async, [&] {
      (void)mp::Client(listener.address(), {.authkey = key("k")}, stop.token());
    });
    stop.request_stop();
    CHECK_THROWS_AS(waiting.get(), mp::CancelledError);
  }

  TEST_CASE("a listener can be waited for together with connections and processes") {
    mp::Listener listener({}, {.authkey = key("k")});
    auto [left, right] = mp::Pipe();
    CHECK(mp::connection::wait({listener, left}, 0s).empty());
    auto client = connecting(listener.address(), {.authkey = key("k")});
    const auto ready = mp::connection::wait({listener, left});
    REQUIRE(ready.size() == 1);
    CHECK(ready.front() == mp::Waitable(listener));
    auto server = listener.accept(0s);  // it had proved itself before
    server.send(3);
    CHECK(client.get().recv<int>() == 3);
    CHECK(mp::connection::wait({listener}, 0s).empty());
  }

  TEST_CASE("several threads accept from one listener, and each client gets one of them") {
    mp::Listener listener({}, {.backlog = 8, .authkey = key("k")});
    constexpr int count = 24;
    std::atomic<int> sum = 0;
    std::vector<std::future<void>> servers;
    std::vector<std::future<void>> clients;
    for (int i = 0; i < 4; ++i)
      servers.push_back(std::async(std::launch::async, [&] {
        for (int n = 0; n < count / 4; ++n) {
          auto connection = listener.accept();
          connection.send(connection.recv<int>() + 1);
        }
      }));
    for (int i = 0; i < count; ++i)
      clients.push_back(std::async(std::launch::async, [&, i] {
        auto connection = mp::Client(listener.address(), {.authkey = key("k")});
        connection.send(i);
        sum += connection.recv<int>();
      }));
    for (auto& each : clients) each.get();
    for (auto& each : servers) each.get();
    CHECK(sum == count * (count + 1) / 2);
  }

  // The system answers for a listener whose queue is full, and then knows nothing of the client that it let
  // in.
  TEST_CASE("forty clients that come at once are all served, whatever the backlog") {
    struct Way {
      mp::Protocol protocol;
      std::optional<std::vector<std::byte>> secret;
    };
    for (const auto& [protocol, secret] : {Way{mp::Protocol::native, key("k")}, Way{mp::Protocol::native, {}},
                                           Way{mp::Protocol::python, key("k")}}) {
      CAPTURE(secret.has_value());
      mp::Listener listener({"127.0.0.1", 0}, {.authkey = secret, .protocol = protocol});
      constexpr int count = 40;
      std::vector<std::future<bool>> clients;
      for (int i = 0; i < count; ++i)
        clients.push_back(std::async(std::launch::async, [&, key = secret, kind = protocol] {
          auto connection =
              mp::Client(listener.address(), {.authkey = key, .protocol = kind, .timeout = 30s});
          return connection.poll(30s) && connection.recv<int>() == 1;
        }));
      for (int i = 0; i < count; ++i) listener.accept(30s).send(1);
      for (auto& each : clients) CHECK(each.get());
    }
  }

  TEST_CASE("children connect to their parent, with each start method") {
    with_each_start_method([](mp::Context& context) {
      mp::Listener listener({}, {.authkey = key("shared")});
      auto child = context.Process(greet, listener.address(), key("shared"));
      child.start();
      auto connection = listener.accept();
      connection.send(41);
      CHECK(connection.recv<int>() == 42);
      child.join();
      CHECK(child.exitcode() == 0);
    });
  }

  TEST_CASE("a connection that was accepted carries others, between processes that share a key") {
    with_each_start_method([](mp::Context& context) {
      mp::Listener listener({}, {.authkey = key("shared")});
      auto child = context.Process(send_a_pipe, listener.address(), key("shared"));
      child.start();
      auto connection = listener.accept();
      auto pipe = connection.recv<mp::Connection>();
      pipe.send(21);
      CHECK(pipe.recv<int>() == 42);
      child.join();
      CHECK(child.exitcode() == 0);
    });
  }

  TEST_CASE("a forked child accepts from the listener of its parent, which goes on") {
    if (!mp::test_support::can_fork()) return;
    mp::Listener listener({}, {.authkey = key("k")});
    for (const bool opened_before : {false, true}) {
      CAPTURE(opened_before);
      if (opened_before) CHECK(mp::connection::wait({listener}, 0s).empty());
      mp::ForkProcess child([&] {
        // What its parent's thread watches must not be touched when it goes.
        if (opened_before) return listener.close();
        auto connection = listener.accept();
        connection.send(connection.recv<int>() + 1);
      });
      child.start();
      if (!opened_before) {
        auto connection = mp::Client(listener.address(), {.authkey = key("k")});
        connection.send(1);
        CHECK(connection.recv<int>() == 2);
      }
      child.join();
      CHECK(child.exitcode() == 0);
      CHECK_THROWS_AS((void)listener.accept(100ms), mp::TimeoutError);
      auto [client, server] = pair_through(listener, {.authkey = key("k")});
      client.send(4);
      CHECK(server.recv<int>() == 4);
      if (!opened_before) {
        listener.close();
        listener = mp::Listener({}, {.authkey = key("k")});
      }
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "connections of every family are lent to children, at either end") {
    with_each_start_method([](mp::Context& context) {
      for (const auto family : families()) {
        CAPTURE(static_cast<int>(family));
        mp::Listener listener({}, {.family = family});
        auto [client, server] = pair_through(listener, {.family = family});
        lend(context, server, client);
        lend(context, client, server);
        server.close();
        CHECK_THROWS_AS((void)client.recv<int>(), mp::EOFError);
      }
    });
  }

  TEST_CASE("handles do not travel over TCP, and the connection goes on") {
    mp::Listener listener({"127.0.0.1", 0});
    auto [client, server] = pair_through(listener);
    auto [left, right] = mp::Pipe();
    CHECK_THROWS_WITH_AS(client.send(left), doctest::Contains("do not travel"), mp::OSError);
    client.send(5);
    CHECK(server.recv<int>() == 5);
  }

  TEST_CASE("a context offers them as members") {
    auto& context = mp::get_context();
    auto listener = context.Listener();
    CHECK(context.Listener({}, {.family = families().front()}).address() != listener.address());
    auto client = std::async(std::launch::async, [&] { return context.Client(listener.address()); });
    auto server = listener.accept();
    server.send(2);
    CHECK(client.get().recv<int>() == 2);
    auto [left, right] = context.Pipe();
    left.send(3);
    CHECK(right.recv<int>() == 3);
  }

  TEST_CASE("a listener that moved away is closed") {
    mp::Listener listener;
    mp::Listener other = std::move(listener);
    CHECK(listener.closed());
    CHECK_THROWS_AS((void)listener.accept(), mp::OSError);
    listener.close();
    CHECK_FALSE(other.closed());
  }

  TEST_CASE("messages of many megabytes go over TCP") {
    mp::Listener listener({"127.0.0.1", 0}, {.authkey = key("k")});
    auto [client, server] = pair_through(listener, {.authkey = key("k")});
    const std::vector<std::byte> much(20'000'000, std::byte{0x5a});
    std::thread sender([&, &out = client] { out.send_bytes(much); });
    CHECK(server.recv_bytes() == much);
    sender.join();
  }
}

}  // namespace api_listeners
