// ctest: timeout=600 cost=20 labels=slow
// Messages of more than 2 GiB, through a pipe and over a socket, in both directions.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <cstdint>
#include <cstring>
#include <future>
#include <optional>
#include <vector>

#include "test_support/listener.hpp"

namespace api_large_messages {

namespace mp = multiprocessing;

constexpr std::uint64_t size = 2'254'857'830;  // 2.1 GiB, and no multiple of anything

bool too_large() {
  if (sizeof(std::size_t) >= 8) return false;
  mp::test_support::skip("addresses have 32 bits");
  return true;
}

/// Each page begins with its number.
std::vector<std::byte> numbered() {
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  for (std::size_t at = 0; at + sizeof at <= bytes.size(); at += 4096)
    std::memcpy(bytes.data() + at, &at, sizeof at);
  bytes.back() = std::byte{0xee};
  return bytes;
}

std::uint64_t checksum(const std::vector<std::byte>& bytes) {
  std::uint64_t sum = bytes.size();
  for (std::size_t at = 0; at + sizeof sum <= bytes.size(); at += sizeof sum) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum = (sum ^ word) * 0x9e3779b97f4a7c15U;
  }
  return sum ^ std::to_integer<std::uint64_t>(bytes.back());
}

/// From one end to the other and back, the first time as what recv_bytes() makes.
void there_and_back(mp::Connection& here, mp::Connection& there) {
  mp::test_support::allow_minutes(4);  // pages by the million, where others work too
  auto message = numbered();
  const auto sum = checksum(message);
  {
    auto sending = std::async(std::launch::async, [&] { here.send_bytes(message); });
    const auto received = there.recv_bytes();
    sending.get();
    CHECK(received.size() == size);
    CHECK(checksum(received) == sum);
  }
  std::vector<std::byte> buffer(message.size());
  auto sending = std::async(std::launch::async, [&] { there.send_bytes(message); });
  CHECK(here.recv_bytes_into(buffer) == size);
  sending.get();
  CHECK(checksum(buffer) == sum);
  there.send(1);
  CHECK(here.recv<int>() == 1);
}

TEST_SUITE("api.large_messages") {
  TEST_CASE("2.1 GiB go through a pipe") {
    if (too_large()) return;
    auto [a, b] = mp::Pipe();
    there_and_back(a, b);
  }

  TEST_CASE("2.1 GiB go over a socket") {
    if (too_large()) return;
    mp::Listener listener({"127.0.0.1", 0});
    auto accepting = std::async(std::launch::async, [&] { return listener.accept(); });
    auto client = mp::Client(listener.address());
    auto server = accepting.get();
    there_and_back(client, server);
  }
}

}  // namespace api_large_messages
