// ctest: timeout=600 cost=15 labels=slow
// Messages of more than 2 GiB, whose length stands in eight bytes, from Python and to it.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <string>
#include <vector>

#include "python_program.hpp"

namespace backend_python_peer_large {

namespace mp = multiprocessing;
using backend_python::python_is_missing;
using backend_python::Script;

constexpr std::size_t size = 0x8000'0005;

TEST_SUITE("backend.python_peer_large") {
  TEST_CASE("Python receives a message of more than 2 GiB, and sends one") {
    if (python_is_missing() || sizeof(std::size_t) < 8) return;
    mp::test_support::allow_minutes(4);
    mp::Listener listener;
    Script python("connection = Client('" + listener.address().path() +
                  "')\n"
                  "message = connection.recv_bytes()\n"
                  "print(len(message), message[0], message[0x7fffffff], message[-1], flush=True)\n"
                  "connection.send_bytes(message)\n");
    auto connection = listener.accept();
    {
      std::vector<std::byte> message(size);
      message.front() = std::byte{1};
      message[0x7fffffff] = std::byte{2};
      message.back() = std::byte{3};
      connection.send_bytes(message);
    }
    CHECK(python.line() == std::to_string(size) + " 1 2 3");
    const auto message = connection.recv_bytes();
    REQUIRE(message.size() == size);
    CHECK(message.front() == std::byte{1});
    CHECK(message[0x7fffffff] == std::byte{2});
    CHECK(message.back() == std::byte{3});
    CHECK(python.end() == 0);
  }
}

}  // namespace backend_python_peer_large
