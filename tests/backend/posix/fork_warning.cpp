// The warning that a fork beside other threads gives. Each program gives it once: so it is counted in
// children that are programs of their own.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <atomic>
#include <future>
#include <string_view>
#include <thread>

#include "contract/system.hpp"
#include "test_support/abilities.hpp"
#include "test_support/listener.hpp"

namespace posix_fork_warning {

namespace mp = multiprocessing;

int one() { return 1; }

struct Warnings {
  int beside_own_threads = 0;
  int beside_another = 0;
  int in_all = 0;
};

Warnings count_warnings() {
  std::atomic<int> count{0};
  mp::set_log_sink([&count](mp::Level level, std::string_view text) {
    if (level == mp::Level::warning && text.find("has threads") != std::string_view::npos) ++count;
  });
  auto& fork = mp::get_context("fork");
  Warnings warnings;
  std::promise<void> called;
  fork.call_async(one).add_done_callback([&called](mp::Future<int>) { called.set_value(); });
  called.get_future().wait();
  fork.call(one);  // beside the library's threads for calls, for callbacks and for the parent's end
  warnings.beside_own_threads = count;
  std::promise<void> enough;
  std::thread other([&enough] { enough.get_future().wait(); });
  fork.call(one);
  warnings.beside_another = count;
  fork.call(one);
  warnings.in_all = count;
  enough.set_value();
  other.join();
  mp::set_log_sink({});
  return warnings;
}

TEST_SUITE("backend.fork_warning") {
  TEST_CASE("a fork beside a thread that is not the library's is warned of, once") {
    if (mp::test_support::is_slow() || !mp::platform::thread_count())
      return mp::test_support::skip("a sanitizer has threads of its own, or nobody counts them");
    const auto warnings = mp::get_context("spawn").call(count_warnings);
    CHECK(warnings.beside_own_threads == 0);
    CHECK(warnings.beside_another == 1);
    CHECK(warnings.in_all == 1);
  }
}

}  // namespace posix_fork_warning
