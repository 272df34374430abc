// Python's own Listener and Client at the other end of ours: over unix sockets and TCP, with and without a
// key, in both roles. The machine's Python is of one generation; the handshake of the other is held against
// its source in tests/unit/handshake.cpp.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "python_program.hpp"
#include "test_support/leak_check.hpp"

namespace backend_python_peer_listener {

namespace mp = multiprocessing;
using mp::test_support::LeakCheck;

using backend_python::python_is_missing;
using backend_python::Script;

std::vector<std::byte> key_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text.data(), text.size()));
  return {view.begin(), view.end()};
}

/// As Python writes it.
std::string in_python(const mp::Address& address) {
  if (!address.path().empty()) return "'" + address.path() + "'";
  return "('" + address.host() + "', " + std::to_string(address.port()) + ")";
}

const char* python_family(mp::Family family) { return family == mp::Family::inet ? "AF_INET" : "AF_UNIX"; }

constexpr const char* converse = R"(
connection.send_bytes(b'from Python')
assert connection.recv_bytes() == b'from C++'
connection.send_bytes(connection.recv_bytes()[::-1])
connection.close()
)";

void converse_with_python(mp::Connection connection) {
  CHECK(connection.recv_bytes() == key_of("from Python"));
  connection.send_bytes("from C++");
  connection.send_bytes(std::string(50'000, 'a') + std::string(50'000, 'b'));
  CHECK(connection.recv_bytes() == key_of(std::string(50'000, 'b') + std::string(50'000, 'a')));
  CHECK_THROWS_AS((void)connection.recv_bytes(), mp::EOFError);
}

/// Another address of this machine than the loopback's; empty without one.
std::string outer_address() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  std::string found;
  for (const ifaddrs* each = list; each != nullptr && found.empty(); each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
    char host[NI_MAXHOST] = "";
    getnameinfo(each->ifa_addr, sizeof(sockaddr_in), host, sizeof host, nullptr, 0, NI_NUMERICHOST);
    if (std::string_view(host).substr(0, 4) != "127.") found = host;
  }
  freeifaddrs(list);
  return found;
}

TEST_SUITE("backend.python_peer_listener") {
  TEST_CASE_FIXTURE(LeakCheck, "Python's Client connects to our Listener") {
    if (python_is_missing()) return;
    for (const auto family : {mp::Family::unix_socket, mp::Family::inet})
      for (const bool with_key : {false, true}) {
        CAPTURE(python_family(family));
        CAPTURE(with_key);
        mp::ListenerOptions options{.family = family, .protocol = mp::Protocol::python};
        if (with_key) options.authkey = key_of("the key");
        mp::Listener listener({}, options);
        Script python("connection = Client(" + in_python(listener.address()) +
                      (with_key ? ", authkey=b'the key')\n" : ")\n") + converse);
        converse_with_python(listener.accept());
        CHECK(python.end() == 0);
      }
  }

  TEST_CASE_FIXTURE(LeakCheck, "our Client connects to Python's Listener") {
    if (python_is_missing()) return;
    for (const auto family : {mp::Family::unix_socket, mp::Family::inet})
      for (const bool with_key : {false, true}) {
        CAPTURE(python_family(family));
        CAPTURE(with_key);
        std::string listening = "listener = Listener(family='";
        listening.append(python_family(family)).append(with_key ? "', authkey=b'the key')\n" : "')\n");
        Script python(listening + R"(
address = listener.address
print(address if isinstance(address, str) else '%d' % address[1], flush=True)
connection = listener.accept()
)" + converse);
        const auto place = python.line();
        const auto address =
            family == mp::Family::inet ? mp::Address("localhost", std::stoi(place)) : mp::Address(place);
        mp::ClientOptions options{.protocol = mp::Protocol::python};
        if (with_key) options.authkey = key_of("the key");
        converse_with_python(mp::Client(address, options));
        CHECK(python.end() == 0);
      }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a wrong key is an AuthenticationError on both sides, whoever listens") {
    if (python_is_missing()) return;
    mp::Listener listener({}, {.authkey = key_of("right"), .protocol = mp::Protocol::python});
    Script client(R"(
try:
    Client()" + in_python(listener.address()) +
                  R"(, authkey=b'wrong')
except AuthenticationError:
    raise SystemExit(7)
)");
    CHECK_THROWS_AS((void)listener.accept(), mp::AuthenticationError);
    CHECK(client.end() == 7);

    Script server(R"(
listener = Listener(authkey=b'right')
print(listener.address, flush=True)
try:
    listener.accept()
except AuthenticationError:
    raise SystemExit(7)
)");
    const mp::Address address(server.line());
    CHECK_THROWS_AS((void)mp::Client(address, {.authkey = key_of("wrong"), .protocol = mp::Protocol::python}),
                    mp::AuthenticationError);
    CHECK(server.end() == 7);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a Python client that says nothing holds up no other") {
    if (python_is_missing()) return;
    mp::Listener listener({}, {.authkey = key_of("k"), .protocol = mp::Protocol::python});
    Script silent("import socket, time\ns = socket.socket(socket.AF_UNIX)\ns.connect(" +
                  in_python(listener.address()) +
                  ")\nprint('there', flush=True)\n"
                  "try:\n  while s.recv(4096): pass\nexcept OSError: pass\n");
    Script speaks("connection = Client(" + in_python(listener.address()) + ", authkey=b'k')\n" + converse);
    CHECK(silent.line() == "there");
    converse_with_python(listener.accept());
    CHECK(speaks.end() == 0);
    listener.close();
    CHECK(silent.end() == 0);
  }

  TEST_CASE_FIXTURE(LeakCheck, "what leaves the machine is sealed, message by message") {
    const auto host = outer_address();
    if (host.empty()) return mp::test_support::skip("this machine has no address but the loopback's");
    mp::Listener listener({host, 0}, {.authkey = key_of("k"), .allow_remote = true});
    auto connecting = std::async(std::launch::async,
                                 [&] { return mp::Client(listener.address(), {.authkey = key_of("k")}); });
    auto server = listener.accept();
    auto client = connecting.get();
    for (int i = 0; i < 3; ++i) {
      client.send(std::string(static_cast<std::size_t>(i) * 30'000, 'x'));
      CHECK(server.recv<std::string>().size() == static_cast<std::size_t>(i) * 30'000);
      server.send_bytes("abc");
      std::byte buffer[3];
      CHECK(client.recv_bytes_into(buffer) == 3);
      server.send_bytes("abc");
      CHECK(client.recv_bytes(3).size() == 3);
    }
    // Somebody between puts a message of his own into the stream: four bytes of length, and content.
    const std::string forged("\0\0\0\x28", 4);
    const std::string content = forged + std::string(40, 'f');
    REQUIRE(write(client.fileno().native(), content.data(), content.size()) ==
            static_cast<ssize_t>(content.size()));
    CHECK_THROWS_WITH_AS((void)server.recv_bytes(), doctest::Contains("not the peer's"), mp::OSError);
    CHECK(server.closed());
    auto [left, right] = mp::Pipe();
    CHECK_THROWS_AS(left.send(client), mp::SerializationError);
  }
}

}  // namespace backend_python_peer_listener
