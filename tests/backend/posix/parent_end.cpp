// The parent's end as its child sees it: also where the system has no sentinels of processes that are not
// children, and requests of the parent come the same way.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <string>
#include <thread>

#include "test_support/start_methods.hpp"

namespace posix_parent_end {

namespace mp = multiprocessing;
using namespace std::chrono_literals;

/// Exits with 0 if the parent is alive all the while, although it has asked for a stop that nobody reads.
void wait_for_parent(mp::Connection line) {
  const auto parent = mp::parent_process();
  line.send(std::string("here"));
  line.recv<std::string>();  // the request is on its way, or will be soon
  const bool ended = parent->join(1s);
  const bool ready = !mp::connection::wait({parent->sentinel()}, 0s).empty();
  mp::exit(ended || ready ? 1 : 0);
}

TEST_SUITE("backend.parent_end") {
  TEST_CASE("a request to stop is not the parent's end") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      auto [ours, theirs] = mp::Pipe();
      auto p = context.Process(wait_for_parent, std::move(theirs));
      p.start();
      CHECK(ours.recv<std::string>() == "here");
      std::thread stopping([&] { p.stop(60s); });
      std::this_thread::sleep_for(50ms);
      ours.send(std::string("go on"));
      stopping.join();
      CHECK(p.exitcode() == 0);
    });
  }
}

}  // namespace posix_parent_end
