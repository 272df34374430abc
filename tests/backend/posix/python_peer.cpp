// A real Python process at the other end of a Connection: its framing is ours, over sockets and over pipes,
// in both directions.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"

namespace backend_python_peer {

namespace mp = multiprocessing;

bool no_python() {
  static const bool missing = std::system("python3 -c 'import multiprocessing.connection' 2>/dev/null") != 0;
  if (missing) mp::test_support::skip("there is no Python with multiprocessing");
  return missing;
}

/// Runs `script` with its end(s) of the connection as descriptors 3 and 4.
class Python {
 public:
  Python(const std::string& script, int reads, int writes) : pid_(fork()) {
    if (pid_ != 0) return;
    const int first = fcntl(reads, F_DUPFD, 10), second = fcntl(writes, F_DUPFD, 10);
    dup2(first, 3);
    dup2(second, 4);
    closefrom_five();
    const std::string text = "from multiprocessing.connection import Connection\n" + script;
    execlp("python3", "python3", "-c", text.c_str(), nullptr);
    _exit(127);
  }
  Python(const Python&) = delete;
  Python& operator=(const Python&) = delete;
  ~Python() {
    if (pid_ > 0) static_cast<void>(end());
  }
  /// Its exit code.
  int end() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  static void closefrom_five() {
    for (int fd = 5; fd < 256; ++fd) close(fd);
  }
  pid_t pid_;
};

struct Peer {
  mp::Connection connection;
  std::unique_ptr<Python> python;
};

Peer over_socket(const std::string& script) {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  auto python = std::make_unique<Python>(script, ends[1], ends[1]);
  close(ends[1]);
  return {mp::Connection::from_native_handle(ends[0]), std::move(python)};
}

constexpr const char* echo = R"(
connection = Connection(3)
try:
    while True:
        connection.send_bytes(connection.recv_bytes())
except EOFError:
    pass
)";

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 >> 3);
  return bytes;
}

TEST_SUITE("backend.python_peer") {
  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "Python echoes messages of all sizes") {
    if (no_python()) return;
    auto [connection, python] = over_socket(echo);
    for (const unsigned size : {0U, 1U, 4U, 16'383U, 16'384U, 16'385U, 1'000'000U}) {
      const auto message = pattern(size);
      std::thread sender([&, &out = connection] { out.send_bytes(message); });
      CHECK(connection.recv_bytes() == message);
      sender.join();
    }
    connection.close();
    CHECK(python->end() == 0);
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "Python reads and writes pipes that we adopted") {
    if (no_python()) return;
    int there[2], back[2];
    REQUIRE(pipe2(there, O_CLOEXEC) == 0);
    REQUIRE(pipe2(back, O_CLOEXEC) == 0);
    Python python(R"(
reader, writer = Connection(3, writable=False), Connection(4, readable=False)
while (message := reader.recv_bytes()) != b'end':
    writer.send_bytes(message[::-1])
)",
                  there[0], back[1]);
    close(there[0]);
    close(back[1]);
    auto out = mp::Connection::from_native_handle(there[1], false, true);
    auto in = mp::Connection::from_native_handle(back[0], true, false);
    for (const unsigned size : {1U, 5'000U, 400'000U}) {
      auto message = pattern(size);
      std::thread sender([&] { out.send_bytes(message); });
      const auto reversed = in.recv_bytes();
      sender.join();
      std::ranges::reverse(message);
      CHECK(reversed == message);
    }
    out.send_bytes("end");
    CHECK(python.end() == 0);
    CHECK_THROWS_AS(in.recv_bytes(), mp::EOFError);
    CHECK_THROWS_AS(out.send_bytes("nobody is there"), mp::ConnectionError);
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck,
                    "a typed message is bytes to Python, and its pickles are bytes to us") {
    if (no_python()) return;
    auto [connection, python] = over_socket(R"(
import pickle
connection = Connection(3)
connection.send({'a': 1})
connection.send_bytes(connection.recv_bytes())
assert connection.recv_bytes() == b'last'
)");
    const auto pickled = connection.recv_bytes();
    REQUIRE_FALSE(pickled.empty());
    CHECK(pickled.front() == std::byte{0x80});  // a pickle's first byte
    connection.send(std::string("typed"));
    CHECK(connection.recv<std::string>() == "typed");
    connection.send_bytes("last");
    CHECK(python->end() == 0);
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck,
                    "a peer that dies in the middle of a message is an end, never garbage") {
    if (no_python()) return;
    auto [connection, python] = over_socket(R"(
import os
os.write(3, (1000).to_bytes(4, 'big') + b'x' * 10)
os._exit(3)
)");
    CHECK(python->end() == 3);
    CHECK_THROWS_AS(connection.recv_bytes(), mp::EOFError);
    CHECK_THROWS_AS(connection.recv_bytes(), mp::EOFError);
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "a header that is none closes the connection") {
    if (no_python()) return;
    auto [connection, python] = over_socket(R"(
import os
os.write(3, (-77).to_bytes(4, 'big', signed=True))
)");
    CHECK_THROWS_WITH_AS(connection.recv_bytes(), doctest::Contains("no message"), mp::OSError);
    CHECK(connection.closed());
    CHECK(python->end() == 0);
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "a length that is a lie buys no memory") {
    if (no_python()) return;
    auto [connection, python] = over_socket(R"(
import os
os.write(3, (-1).to_bytes(4, 'big', signed=True) + (1 << 60).to_bytes(8, 'big') + b'x' * 100)
)");
    CHECK_THROWS_AS(connection.recv_bytes(), mp::EOFError);
    CHECK(python->end() == 0);
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck,
                    "a peer that may know nothing of handles gets none, and the connection goes on") {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    auto stranger = mp::Connection::from_native_handle(ends[0]);
    auto other = mp::Connection::from_native_handle(ends[1]);
    auto [left, right] = mp::Pipe();
    CHECK_THROWS_WITH_AS(stranger.send(left), doctest::Contains("do not travel"), mp::OSError);
    stranger.send_bytes("goes on");
    CHECK(other.recv_bytes().size() == 7);
    const std::array<unsigned char, 16> announced = {0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0,
                                                     0,    0,    0,    1,    0, 0, 0, 1};
    REQUIRE(write(stranger.fileno().native(), announced.data(), announced.size()) == 16);
    CHECK_THROWS_AS(other.recv_bytes(), mp::OSError);
    CHECK(other.closed());
  }

  TEST_CASE_FIXTURE(mp::test_support::LeakCheck, "a pipe is adopted for the way that it goes, and no other") {
    for (const int wanted : {0, 1}) {
      int ends[2];
      REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
      const int other = ends[1 - wanted];
      const bool goes_both_ways = (fcntl(other, F_GETFL) & O_ACCMODE) == O_RDWR;  // as FreeBSD's do
      if (goes_both_ways) {
        close(other);
      } else {
        CHECK_THROWS_AS((void)mp::Connection::from_native_handle(other, wanted == 0, wanted == 1),
                        mp::OSError);
        CHECK(fcntl(other, F_GETFD) == -1);  // it was ours to close
        const auto narrowed = mp::Connection::from_native_handle(dup(ends[wanted]));
        CHECK(narrowed.readable() == (wanted == 0));
        CHECK(narrowed.writable() == (wanted == 1));
      }
      const auto good = mp::Connection::from_native_handle(ends[wanted], wanted == 0, wanted == 1);
      CHECK(good.readable() == (wanted == 0));
    }
  }

  TEST_CASE("what is no stream is not adopted") {
    CHECK_THROWS_AS((void)mp::Connection::from_native_handle(open("/dev/null", O_RDWR | O_CLOEXEC)),
                    mp::OSError);
    CHECK_THROWS_AS((void)mp::Connection::from_native_handle(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
                    mp::OSError);
    CHECK_THROWS_AS((void)mp::Connection::from_native_handle(mp::NativeHandle()), mp::OSError);
    const int spare = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK_THROWS_AS((void)mp::Connection::from_native_handle(spare, false, false), mp::ValueError);
    CHECK(fcntl(spare, F_GETFD) == -1);  // it was ours to close
  }
}

}  // namespace backend_python_peer
