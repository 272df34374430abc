// ctest: timeout=300
// A server whose memory is used up while clients come, at each place where its threads ask for some: it loses
// a client at most, or accept() says so, and it serves on; close() needs none, in a forked child neither.
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include "contract/capabilities.hpp"
#include "test_support/refused_memory.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
using namespace std::chrono_literals;

#if MULTIPROCESSING_TEST_OWN_MEMORY

namespace {

constexpr long any_number = 1'000'000'000;
/// Whose memory is not what is tested: the client's.
thread_local bool rich = false;
/// How many more requests of others are met; then `refused` of them are not.
std::atomic<long> met{any_number};
std::atomic<long> refused{0};

}  // namespace

bool mp::test_support::is_refused(std::size_t) noexcept {
  if (rich || met.fetch_sub(1) > 0) return false;
  return refused.fetch_sub(1) > 0;
}

namespace {

std::vector<std::byte> key() { return std::vector<std::byte>(32, std::byte{5}); }

struct Way {
  mp::Protocol protocol;
  bool with_key;
};
constexpr Way ways[] = {
    {mp::Protocol::native, true}, {mp::Protocol::python, true}, {mp::Protocol::native, false}};

std::optional<std::vector<std::byte> > key_of(const Way& way) {
  if (!way.with_key) return std::nullopt;
  return key();
}

/// Comes again and again until it was served.
void be_served(const mp::Address& address, const Way& way) {
  rich = true;
  for (;;) try {
      auto connection = mp::Client(address, {.authkey = key_of(way), .protocol = way.protocol});
      if (connection.recv<int>() == 42) return;
    } catch (const mp::OSError&) {
    } catch (const mp::EOFError&) {
    }
}

/// Serves one client, with `count` requests for memory refused after `first` were met. Whether there were so
/// many.
bool serve(const Way& way, long first, long count) {
  rich = true;
  mp::Listener listener({"127.0.0.1", 0}, {.authkey = key_of(way), .protocol = way.protocol});
  std::atomic<bool> served{false};
  std::thread client([&, address = listener.address()] {
    be_served(address, way);
    served = true;
  });
  rich = false;
  refused = count;
  met = first;
  while (!served) try {
      auto connection = listener.accept(10ms);
      rich = true;
      connection.send(42);
      rich = false;
    } catch (const mp::TimeoutError&) {
    } catch (const mp::OSError&) {
    } catch (const std::bad_alloc&) {
    } catch (const mp::EOFError&) {
    }
  const bool all = refused <= 0;
  refused = count > 1 ? any_number : 0;  // and none at all while it is closed
  met = 0;
  listener.close();
  refused = 0;
  met = any_number;
  rich = true;
  client.join();
  return all;
}

/// A forked child lets go of its copy of the listener.
bool close_in_child() {
  if (!mp::platform::capabilities().fork) return true;
  rich = true;
  mp::Listener listener({"127.0.0.1", 0});
  std::thread client(be_served, listener.address(), ways[2]);
  listener.accept().send(42);
  client.join();
  mp::ForkProcess child([&] {
    rich = false;
    refused = any_number;
    met = 0;
    listener.close();
    refused = 0;
    mp::exit(listener.closed() ? 3 : 4);
  });
  child.start();
  child.join();
  return child.exitcode() == 3;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  rich = true;
  bool good = close_in_child();
  for (const auto& way : ways)
    for (const long count : {1L, 3L, 20L}) {
      long first = 0;
      while (serve(way, first, count)) ++first;
      std::printf("%ld places, %ld refusals at each\n", first, count);
      good = good && first > 5 && first < 10000;
    }
  return mp::test_support::verdict(good ? 0 : 1);
}

#endif
