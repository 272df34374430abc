// ctest: args=--count=20 timeout=300
// Children that are killed while they send a message, and while they receive one. Exit status 0 if the other
// side has got whole messages, in their order, and then EOFError or ConnectionError, each time. --count=N
// kills of each, by every start method in turn.
#include <multiprocessing/multiprocessing.hpp>

#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "test_support/figures.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;

namespace {

using Bytes = std::vector<std::byte>;

/// Of 1 byte to about a megabyte, more than a stream holds; every word of it says which one it is.
Bytes message(std::uint64_t number) {
  Bytes bytes(static_cast<std::size_t>(1 + number * 7919 % 1'000'000));
  for (std::size_t at = 0; at + sizeof number <= bytes.size(); at += sizeof number) {
    const std::uint64_t word = number << 32 ^ at;
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
  return bytes;
}

void send_for_ever(mp::Connection out) {
  for (std::uint64_t number = 1;; ++number) out.send_bytes(message(number));
}

void receive_for_ever(mp::Connection in) {
  for (;;) in.recv_bytes();
}

/// A time that no two rounds have alike: between nothing and what a few messages take.
void hesitate(std::minstd_rand& random) {
  for (volatile unsigned long left = random() % 2'000'000; left > 0;) left = left - 1;
}

/// Receives until the end. False for a message that is not the next one.
bool receives_whole_ones(mp::Connection& in, std::uint64_t& number, std::uint64_t limit) {
  while (number < limit)
    if (in.recv_bytes() != message(++number)) return false;
  return true;
}

bool writer_killed(mp::Context& context, std::minstd_rand& random) {
  auto [ours, theirs] = mp::Pipe();
  auto child = context.Process(send_for_ever, theirs);
  child.start();
  theirs.close();
  std::uint64_t number = 0;
  if (!receives_whole_ones(ours, number, random() % 4)) return false;
  hesitate(random);
  child.kill();
  child.join();
  try {
    return receives_whole_ones(ours, number, 1'000'000) && false;
  } catch (const mp::EOFError&) {
    return true;
  }
}

bool reader_killed(mp::Context& context, std::minstd_rand& random) {
  auto [ours, theirs] = mp::Pipe();
  auto child = context.Process(receive_for_ever, theirs);
  child.start();
  theirs.close();
  bool told = false;
  std::thread sender([&, &out = ours] {
    try {
      send_for_ever(std::move(out));
    } catch (const mp::ConnectionError&) {
      told = true;
    }
  });
  hesitate(random);
  child.kill();
  child.join();
  sender.join();
  return told;
}

bool run(int count) {
  std::minstd_rand random(20260101);
  const auto methods = mp::get_all_start_methods();
  int writers_wrong = 0;
  int readers_wrong = 0;
  for (int i = 0; i < count; ++i) {
    auto& context = mp::get_context(methods[static_cast<std::size_t>(i) % methods.size()]);
    if (!writer_killed(context, random)) ++writers_wrong;
    if (!reader_killed(context, random)) ++readers_wrong;
  }
  std::printf("%d writers and %d readers killed in a message: not followed by the end %d, %d\n", count, count,
              writers_wrong, readers_wrong);
  return count > 0 && writers_wrong == 0 && readers_wrong == 0;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  figures::use_launcher(argv[0]);
  return mp::test_support::verdict(run(figures::count_argument(argc, argv)) ? 0 : 1);
}
