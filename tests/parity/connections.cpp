// What Python's own tests of connections demand, test by test: COVERAGE.md says which is which.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "test_support/listener.hpp"
#include "test_support/start_methods.hpp"

namespace parity_connections {

namespace mp = multiprocessing;
using namespace std::chrono_literals;
using mp::test_support::with_each_start_method;
using Bytes = std::vector<std::byte>;

constexpr std::string_view sentinel;  // an empty message, as there

Bytes bytes(std::string_view text) {
  const auto view = std::as_bytes(std::span(text.data(), text.size()));
  return {view.begin(), view.end()};
}

void echo(mp::Connection connection) {
  for (;;) {
    const auto message = connection.recv_bytes();
    if (message == bytes(sentinel)) return;
    connection.send_bytes(message);
  }
}

std::vector<mp::Family> families() {
  std::vector<mp::Family> all;
  for (const auto family : {mp::Family::inet, mp::Family::unix_socket, mp::Family::pipe}) try {
      const mp::Listener listener({}, {.family = family});
      all.push_back(family);
    } catch (const mp::OSError&) {
    }
  return all;
}

// ---- children

void say_hello(mp::Address address) { mp::Client(std::move(address)).send("hello"); }

void send_strings(mp::Connection connection, std::vector<std::string> strings) {
  for (const auto& each : strings) connection.send_bytes(each);
}

void poll_only(mp::Connection connection) { static_cast<void>(connection.poll(5s)); }

/// Hands on what it is given: writes through it.
void write_through(mp::Connection connection, std::string text) {
  auto handle = connection.recv<mp::Connection>();
  handle.send_bytes(text);
}

/// Accepts at an address of each family, and hands each connection to its parent.
void accept_and_hand_on(mp::Connection parent, std::vector<mp::Family> kinds) {
  for (const auto family : kinds) {
    mp::Listener listener({}, {.family = family});
    parent.send(listener.address());
    parent.send(listener.accept());
  }
  parent.recv<int>();
}

void connect_and_say(mp::Connection parent) {
  while (const auto task = parent.recv<std::optional<std::pair<mp::Address, std::string>>>())
    mp::Client(task->first).send(task->second);
}

void use_both_directions(mp::Connection connection) {
  connection.recv<mp::Connection>().send("all is well");
  const auto message = connection.recv<mp::Connection>().recv<std::string>();
  connection.send(message + message);
}

void send_ten(mp::Connection out, int who) {
  for (int i = 0; i < 10; ++i) out.send(std::pair(i, who));
}

void send_ten_to(mp::Address address) {
  auto connection = mp::Client(std::move(address));
  for (int i = 0; i < 10; ++i) connection.send_bytes(std::to_string(i));
}

/// Ends when its parent says so.
void wait_for_word(mp::Connection connection) { connection.recv<int>(); }

TEST_SUITE("parity.connections") {
  // ---- _TestConnection

  TEST_CASE("test_connection") {
    with_each_start_method([](mp::Context& context) {
      auto [connection, theirs] = context.Pipe();
      auto p = context.Process(echo, theirs);
      p.set_daemon(true);
      p.start();
      CHECK(connection.fileno() == connection.fileno());
      const std::tuple<int, double, std::optional<int>> sequence{1, 2.25, std::nullopt};
      connection.send(sequence);
      CHECK(connection.recv<std::tuple<int, double, std::optional<int>>>() == sequence);
      connection.send_bytes("hello world");
      CHECK(connection.recv_bytes() == bytes("hello world"));

      const std::array<int, 4> numbers = {0, 1, 2, 3};
      const auto as_bytes = std::as_bytes(std::span(numbers));
      for (const std::size_t offset : {std::size_t{0}, 3 * sizeof(int)}) {
        std::array<int, 10> buffer{};
        connection.send_bytes(as_bytes);
        CHECK(connection.recv_bytes_into(std::as_writable_bytes(std::span(buffer)), offset) ==
              sizeof numbers);
        std::array<int, 10> expected{};
        std::memcpy(expected.data() + offset / sizeof(int), numbers.data(), sizeof numbers);
        CHECK(buffer == expected);
      }
      std::string longer;
      for (int i = 0; i < 10; ++i) longer += "hello world";
      connection.send_bytes(longer);
      std::array<std::byte, 40> small{};
      try {
        static_cast<void>(connection.recv_bytes_into(small));
        FAIL("expected BufferTooShort");
      } catch (const mp::BufferTooShort& error) {
        CHECK(error.message() == bytes(longer));
      }
      CHECK_FALSE(connection.poll());
      CHECK_FALSE(connection.poll(-1s));
      const auto start = std::chrono::steady_clock::now();
      CHECK_FALSE(connection.poll(100ms));
      CHECK(std::chrono::steady_clock::now() - start >= 100ms);
      connection.send(std::optional<int>());
      CHECK(connection.poll(30s));
      CHECK_FALSE(connection.recv<std::optional<int>>().has_value());

      const Bytes really_big(16 << 20, std::byte{'X'});
      connection.send_bytes(really_big);
      CHECK(connection.recv_bytes() == really_big);

      connection.send_bytes(sentinel);
      theirs.close();
      CHECK(connection.readable());
      CHECK(connection.writable());
      CHECK_THROWS_AS((void)connection.recv<int>(), mp::EOFError);
      CHECK_THROWS_AS((void)connection.recv_bytes(), mp::EOFError);
      p.join();
    });
  }

  TEST_CASE("test_duplex_false") {
    auto [reader, writer] = mp::Pipe(false);
    writer.send(1);
    CHECK(reader.recv<int>() == 1);
    CHECK(reader.readable());
    CHECK_FALSE(reader.writable());
    CHECK_FALSE(writer.readable());
    CHECK(writer.writable());
    CHECK_THROWS_AS(reader.send(2), mp::OSError);
    CHECK_THROWS_AS((void)writer.recv<int>(), mp::OSError);
    CHECK_THROWS_AS((void)writer.poll(), mp::OSError);
  }

  TEST_CASE("test_spawn_close") {
    with_each_start_method([](mp::Context& context) {
      auto [connection, theirs] = context.Pipe();
      auto p = context.Process(echo, theirs);
      p.set_daemon(true);
      p.start();
      theirs.close();  // perhaps before the child has looked at it
      connection.send_bytes("hello");
      CHECK(connection.recv_bytes() == bytes("hello"));
      connection.send_bytes(sentinel);
      connection.close();
      p.join();
      CHECK(p.exitcode() == 0);
    });
  }

  TEST_CASE("test_sendbytes") {
    const std::string_view message = "abcdefghijklmnopqrstuvwxyz";
    auto [a, b] = mp::Pipe();
    a.send_bytes(message);
    CHECK(b.recv_bytes() == bytes(message));
    a.send_bytes(message, 5);
    CHECK(b.recv_bytes() == bytes(message.substr(5)));
    a.send_bytes(message, 7, 8);
    CHECK(b.recv_bytes() == bytes(message.substr(7, 8)));
    a.send_bytes(message, 26);
    CHECK(b.recv_bytes().empty());
    a.send_bytes(message, 26, 0);
    CHECK(b.recv_bytes().empty());
    CHECK_THROWS_AS(a.send_bytes(message, 27), mp::ValueError);
    CHECK_THROWS_AS(a.send_bytes(message, 22, 5), mp::ValueError);
    CHECK_THROWS_AS(a.send_bytes(message, 26, 1), mp::ValueError);
    constexpr auto minus_one = static_cast<std::size_t>(-1);
    CHECK_THROWS_AS(a.send_bytes(message, minus_one), mp::ValueError);
    CHECK_THROWS_AS(a.send_bytes(message, 4, minus_one), mp::ValueError);
  }

  TEST_CASE("test_fd_transfer, test_large_fd_transfer") {
    with_each_start_method([](mp::Context& context) {
      auto [connection, theirs] = context.Pipe();
      auto p = context.Process(write_through, theirs, std::string("foo"));
      p.set_daemon(true);
      p.start();
      // More handles than 256 are open, so that the one that is sent has a large number.
      std::vector<std::pair<mp::Connection, mp::Connection>> many;
      for (int i = 0; i < 140; ++i) many.push_back(context.Pipe());
      auto [reader, writer] = context.Pipe(false);
      connection.send(writer);
      writer.close();
      CHECK(reader.recv_bytes() == bytes("foo"));
      p.join();
    });
  }

  TEST_CASE("test_missing_fd_transfer") {
    auto [a, b] = mp::Pipe();
    a.send(1);
    CHECK_THROWS_AS((void)b.recv<mp::Connection>(), mp::TypeError);
  }

  TEST_CASE("test_context (of a connection)") {
    auto [a, b] = mp::Pipe();
    {
      const mp::Connection in = std::move(b);
      mp::Connection out = std::move(a);
      out.send(1729);
      CHECK_FALSE(in.closed());
    }
    CHECK(a.closed());
    CHECK(b.closed());
    CHECK_THROWS_AS((void)a.recv<int>(), mp::OSError);
    CHECK_THROWS_AS((void)b.recv<int>(), mp::OSError);
  }

  // ---- _TestListener

  TEST_CASE("test_multiple_bind") {
    for (const auto family : families()) {
      const mp::Listener listener({}, {.family = family});
      CHECK_THROWS_AS(mp::Listener(listener.address(), {.family = family}), mp::OSError);
    }
  }

  TEST_CASE("test_context (of a listener)") {
    mp::Listener listener;
    {
      auto client = mp::Client(listener.address());
      auto server = listener.accept();
      client.send(1729);
      CHECK(server.recv<int>() == 1729);
    }
    listener.close();
    CHECK_THROWS_AS((void)listener.accept(), mp::OSError);
  }

  TEST_CASE("test_abstract_socket") {
    CHECK_THROWS_AS(mp::Listener(std::string("\0something", 10)), mp::ValueError);
  }

  // ---- _TestListenerClient

  TEST_CASE("test_listener_client") {
    with_each_start_method([](mp::Context& context) {
      for (const auto family : families()) {
        mp::Listener listener({}, {.family = family});
        auto p = context.Process(say_hello, listener.address());
        p.set_daemon(true);
        p.start();
        CHECK(listener.accept().recv<std::string>() == "hello");
        p.join();
      }
    });
  }

  TEST_CASE("test_issue14725") {
    mp::Listener listener;
    mp::SpawnProcess p(say_hello, listener.address());
    p.start();
    p.join();  // it has connected, written and ended before anybody accepts
    CHECK(listener.accept().recv<std::string>() == "hello");
  }

  TEST_CASE("test_issue16955") {
    for (const auto family : families()) {
      mp::Listener listener({}, {.family = family});
      auto client = mp::Client(listener.address());
      auto server = listener.accept();
      server.send_bytes("hello");
      CHECK(client.poll(30s));
    }
  }

  // ---- _TestPoll

  TEST_CASE("test_empty_string") {
    auto [a, b] = mp::Pipe();
    CHECK_FALSE(a.poll());
    b.send_bytes("");
    CHECK(a.poll());
    CHECK(a.poll());
  }

  TEST_CASE("test_strings") {
    with_each_start_method([](mp::Context& context) {
      const std::vector<std::string> strings = {"hello", "", "a", "b", "", "bye", "", "lop"};
      auto [a, b] = context.Pipe();
      auto p = context.Process(send_strings, b, strings);
      p.start();
      for (const auto& each : strings) {
        CHECK(a.poll(30s));
        CHECK(a.recv_bytes() == bytes(each));
      }
      p.join();
    });
  }

  TEST_CASE("test_boundaries") {
    with_each_start_method([](mp::Context& context) {
      auto [reader, writer] = context.Pipe(false);
      auto p = context.Process(poll_only, reader);
      p.start();
      writer.send_bytes("first");
      writer.send_bytes("second");
      writer.close();
      p.join();
      CHECK(reader.recv_bytes() == bytes("first"));  // it has taken nothing
      CHECK(reader.recv_bytes() == bytes("second"));
    });
  }

  TEST_CASE("test_dont_merge") {
    with_each_start_method([](mp::Context& context) {
      auto [a, b] = context.Pipe();
      CHECK_FALSE(a.poll(0s));
      CHECK_FALSE(a.poll(1ms));
      auto p = context.Process(send_strings, b, std::vector<std::string>{"a", "b", "cd"});
      p.start();
      CHECK(a.recv_bytes() == bytes("a"));
      CHECK(a.poll(30s));
      CHECK(a.poll(30s));
      CHECK(a.recv_bytes() == bytes("b"));
      CHECK(a.poll(30s));
      p.join();
      CHECK(a.poll(0s));
      CHECK(a.recv_bytes() == bytes("cd"));
    });
  }

  // ---- _TestPicklingConnections

  TEST_CASE("test_pickling") {
    with_each_start_method([](mp::Context& context) {
      const auto kinds = families();
      auto [listening, theirs] = context.Pipe();
      auto lp = context.Process(accept_and_hand_on, theirs, kinds);
      lp.set_daemon(true);
      lp.start();
      theirs.close();
      auto [remote, remotes] = context.Pipe();
      auto rp = context.Process(connect_and_say, remotes);
      rp.set_daemon(true);
      rp.start();
      remotes.close();
      using Task = std::optional<std::pair<mp::Address, std::string>>;
      for (const auto family : kinds) {
        const auto message = "THIS CONNECTION USES FAMILY " + std::to_string(static_cast<int>(family));
        remote.send(Task(std::pair(listening.recv<mp::Address>(), message)));
        CHECK(listening.recv<mp::Connection>().recv<std::string>() == message);
      }
      remote.send(Task());
      listening.send(0);
      lp.join();
      rp.join();
      CHECK(lp.exitcode() == 0);
      CHECK(rp.exitcode() == 0);
    });
  }

  TEST_CASE("test_access") {
    with_each_start_method([](mp::Context& context) {
      auto [connection, theirs] = context.Pipe();
      auto p = context.Process(use_both_directions, theirs);
      p.set_daemon(true);
      p.start();
      theirs.close();
      {
        auto [reader, writer] = context.Pipe(false);
        connection.send(writer);
        writer.close();
        CHECK(reader.recv<std::string>() == "all is well");
      }
      auto [reader, writer] = context.Pipe(false);
      connection.send(reader);
      reader.close();
      writer.send("foobar");
      writer.close();
      CHECK(connection.recv<std::string>() == "foobarfoobar");
      p.join();
    });
  }

  // ---- TestInvalidHandle

  TEST_CASE("test_invalid_handles") {
    for (const std::intptr_t number : {std::intptr_t{44977608}, std::intptr_t{-1}}) {
      const mp::NativeHandle handle((mp::NativeHandle::native_type)number);
      CHECK_THROWS_AS((void)mp::Connection::from_native_handle(handle), mp::OSError);
    }
  }

  // ---- OtherTest

  TEST_CASE("test_deliver_challenge_auth_failure, test_answer_challenge_auth_failure") {
    const Bytes key = bytes("abc");
    for (const auto protocol : {mp::Protocol::native, mp::Protocol::python}) {
      mp::Listener liar({"127.0.0.1", 0});  // without a key: it says whatever it likes
      mp::Listener listener({"127.0.0.1", 0}, {.authkey = key, .protocol = protocol});
      CHECK(mp::connection::wait({listener}, 0s).empty());  // from now on peers are heard
      auto bogus = mp::Client(listener.address());
      static_cast<void>(bogus.recv_bytes());
      bogus.send_bytes("something bogus");
      CHECK_THROWS_AS((void)listener.accept(30s), mp::AuthenticationError);
      mp::SpawnProcess p(
          [](mp::Address address, Bytes secret, bool pythons) {
            const auto spoken = pythons ? mp::Protocol::python : mp::Protocol::native;
            try {
              static_cast<void>(mp::Client(address, {.authkey = secret, .protocol = spoken}));
            } catch (const mp::AuthenticationError&) {
              return;
            }
            throw mp::RuntimeError("no AuthenticationError");
          },
          liar.address(), key, protocol == mp::Protocol::python);
      p.start();
      auto victim = liar.accept();
      victim.send_bytes("#CHALLENGE#");
      try {
        static_cast<void>(victim.recv_bytes());
        victim.send_bytes("something bogus");
      } catch (const mp::EOFError&) {  // it knew already
      } catch (const mp::ConnectionError&) {
      }
      p.join();
      CHECK(p.exitcode() == 0);
    }
  }

  // ---- TestWait

  TEST_CASE("test_wait, test_wait_slow") {
    with_each_start_method([](mp::Context& context) {
      std::vector<mp::Connection> readers;
      std::vector<mp::Process> processes;
      for (int i = 0; i < 4; ++i) {
        auto [reader, writer] = context.Pipe(false);
        processes.push_back(context.Process(send_ten, writer, i));
        processes.back().set_daemon(true);
        processes.back().start();
        readers.push_back(std::move(reader));
      }
      std::vector<std::pair<int, int>> messages;
      while (!readers.empty())
        for (const auto& ready : mp::connection::wait(readers)) {
          const auto reader = std::ranges::find_if(
              readers, [&](const mp::Connection& each) { return mp::Waitable(each) == ready; });
          try {
            messages.push_back(reader->recv<std::pair<int, int>>());
          } catch (const mp::EOFError&) {
            readers.erase(reader);
          }
        }
      std::ranges::sort(messages);
      std::vector<std::pair<int, int>> expected;
      for (int i = 0; i < 10; ++i)
        for (int who = 0; who < 4; ++who) expected.emplace_back(i, who);
      CHECK(messages == expected);
      for (auto& p : processes) p.join();
    });
  }

  TEST_CASE("test_wait_socket, test_wait_socket_slow") {
    mp::Listener listener({"127.0.0.1", 0}, {.backlog = 4});
    std::vector<mp::SpawnProcess> processes;
    for (int i = 0; i < 4; ++i) {
      processes.emplace_back(send_ten_to, listener.address());
      processes.back().start();
    }
    std::vector<std::pair<mp::Connection, std::string>> readers;
    for (int i = 0; i < 4; ++i) readers.emplace_back(listener.accept(), "");
    int ended = 0;
    while (ended < 4) {
      std::vector<mp::Waitable> open;
      for (const auto& [reader, text] : readers)
        if (!reader.closed()) open.emplace_back(reader);
      for (const auto& ready : mp::connection::wait(open))
        for (auto& [reader, text] : readers) {
          if (reader.closed() || mp::Waitable(reader) != ready) continue;
          try {
            for (const auto byte : reader.recv_bytes()) text += static_cast<char>(byte);
          } catch (const mp::EOFError&) {
            reader.close();
            ++ended;
          }
        }
    }
    for (const auto& [reader, text] : readers) CHECK(text == "0123456789");
    for (auto& p : processes) p.join();
  }

  TEST_CASE("test_wait_timeout") {
    auto [a, b] = mp::Pipe();
    const auto start = std::chrono::steady_clock::now();
    CHECK(mp::connection::wait({a, b}, 100ms).empty());
    CHECK(std::chrono::steady_clock::now() - start >= 100ms);
    b.send(0);
    const auto ready = mp::connection::wait({a, b}, 30s);
    REQUIRE(ready.size() == 1);
    CHECK(ready.front() == mp::Waitable(a));
  }

  TEST_CASE("test_wait_integer") {
    auto [a, b] = mp::Pipe();
    auto [word, theirs] = mp::Pipe();
    mp::SpawnProcess p(wait_for_word, theirs);
    p.start();
    const auto number = mp::Waitable(p.sentinel().native_handle());
    CHECK(mp::connection::wait({a, number, b}, 0s).empty());
    word.send(0);
    const auto ended = mp::connection::wait({a, number, b}, 30s);
    REQUIRE(ended.size() == 1);
    CHECK(ended.front() == number);
    a.send(0);
    const auto both = mp::connection::wait({a, number, b}, 30s);
    REQUIRE(both.size() == 2);
    CHECK(both[0] == number);
    CHECK(both[1] == mp::Waitable(b));
    b.send(0);
    CHECK(mp::connection::wait({a, number, b}, 30s).size() == 3);
    p.join();
  }

  TEST_CASE("test_neg_timeout") {
    auto [a, b] = mp::Pipe();
    CHECK(mp::connection::wait({a}, -1s).empty());
  }
}

}  // namespace parity_connections
