// ctest: timeout=240
// Handles on their way where the system may drop them (forced: no-kept-handles): the sender keeps duplicates
// until the receiver has them, and no longer. Seen by the descriptors that a process has open; elsewhere it
// has none of that.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/system.hpp"
#include "test_support/abilities.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/start_methods.hpp"

namespace backend_kept_handles {

namespace mp = multiprocessing;

/// How many descriptors are open for `handles` that are on their way.
int kept_for(int handles) { return mp::platform::capabilities().transfer_keeps_handles ? 0 : handles + 1; }

/// Makes the event loop, if there is none, and returns when it has seen to all that was received before.
void settle() {
  auto [ours, sent] = mp::Pipe();
  auto [line, far] = mp::Pipe();
  line.send(sent);
  sent.close();
  far.recv<mp::Connection>().close();
  CHECK_THROWS_AS((void)ours.recv<int>(), mp::EOFError);
}

/// Counts what is open beyond what there was when it was made; all is as it should be where nobody can count.
class Count {
 public:
  Count() : before_((settle(), mp::test_support::settled_holdings().handles)) {}
  [[nodiscard]] int more() const { return before_ ? *mp::platform::open_handle_count() - *before_ : 0; }
  [[nodiscard]] bool is(int expected) const { return !before_ || more() == expected; }
  [[nodiscard]] bool becomes(int expected) const {
    return mp::test_support::eventually([&] { return is(expected); });
  }

 private:
  std::optional<int> before_;
};

/// Takes what comes through `post` when it is told to, answers through that and lets go of it.
void take_when_told(mp::Connection told, mp::Connection post) {
  told.send(0);
  (void)told.recv<int>();
  post.recv<mp::Connection>().send(7);
  (void)told.recv<int>();
}

/// Such a child.
struct Taker {
  explicit Taker(mp::Context& context) {
    auto [told_here, told_there] = mp::Pipe();
    auto [post_here, post_there] = mp::Pipe();
    told = std::move(told_here);
    post = std::move(post_here);
    process = context.Process(take_when_told, told_there, post_there);
    process.start();
    CHECK(told.recv<int>() == 0);
  }
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;
  ~Taker() {
    try {
      told.send(2);
    } catch (const mp::OSError&) {
      // It was killed.
    }
    process.join();
  }
  mp::Connection told, post;
  mp::Process process;
};

void tell_and_wait(mp::Connection line) {
  line.send(1);
  (void)line.recv<int>();
}

/// A forked child that lives as long as this.
class Waiting {
 public:
  Waiting() {
    auto [here, there] = mp::Pipe();
    process_ = mp::get_context("fork").Process(tell_and_wait, there);
    process_.start();
    line_ = std::move(here);
    CHECK(line_.recv<int>() == 1);
  }
  Waiting(Waiting&&) = default;
  Waiting& operator=(Waiting&&) = delete;
  ~Waiting() {
    if (line_.closed()) return;  // moved from
    line_.send(2);
    process_.join();
  }

 private:
  mp::Connection line_;
  mp::Process process_;
};

std::size_t how_many(const std::vector<mp::Connection>& connections) { return connections.size(); }

std::vector<mp::Connection> many(int count) {
  std::vector<mp::Connection> connections;
  for (int i = 0; i < count; ++i) connections.push_back(mp::Pipe().first);
  return connections;
}

/// Leaves the process `free` descriptors, for as long as it lives.
class Shortage {
 public:
  explicit Shortage(int free) {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 256;
    setrlimit(RLIMIT_NOFILE, &few);
    for (int fd = dup(STDERR_FILENO); fd != -1; fd = dup(STDERR_FILENO)) taken_.push_back(fd);
    for (; free > 0; --free) {
      close(taken_.back());
      taken_.pop_back();
    }
  }
  Shortage(const Shortage&) = delete;
  Shortage& operator=(const Shortage&) = delete;
  ~Shortage() {
    for (const int fd : taken_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

template <class Work>
std::error_code error_with(int free, Work work) {
  const Shortage shortage(free);
  try {
    work();
    return {};
  } catch (const mp::OSError& error) {
    return error.code();
  }
}

TEST_SUITE("backend.kept_handles") {
  TEST_CASE("what was sent is kept until it was received, although the sender closed his own") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      Taker taker(context);
      const Count count;
      auto [a, b] = mp::Pipe();
      taker.post.send(b);
      b.close();
      CHECK(count.is(1 + kept_for(1)));
      taker.told.send(1);
      CHECK(a.recv<int>() == 7);
      CHECK(count.becomes(1));
      CHECK_THROWS_AS((void)a.recv<int>(), mp::EOFError);  // the taker's was the last
    });
  }

  TEST_CASE("what nobody will receive is kept no longer") {
    const Count count;
    auto [a, b] = mp::Pipe();
    {
      auto [line, far] = mp::Pipe();
      line.send(b);
      b.close();
      CHECK(count.is(3 + kept_for(1)));
    }
    CHECK_THROWS_AS((void)a.recv<int>(), mp::EOFError);
    CHECK(count.becomes(1));
  }

  TEST_CASE("what a receiver did not take before he was killed is kept no longer") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      Taker taker(context);
      auto [a, b] = mp::Pipe();
      taker.post.send(b);
      b.close();
      taker.process.kill();
      CHECK_THROWS_AS((void)a.recv<int>(), mp::EOFError);
    });
  }

  TEST_CASE("a receipt stands behind handles in any number of portions") {
    const Count count;
    for (const int each : {1, 62, 63, 64, 65, 126, 127, 128, 200}) {
      CAPTURE(each);
      auto [line, far] = mp::Pipe();
      line.send(many(each));
      CHECK(count.is(2 + kept_for(each)));
      const auto came = far.recv<std::vector<mp::Connection>>();
      CHECK(static_cast<int>(came.size()) == each);
      CHECK(count.becomes(2 + each));
    }
    CHECK(count.becomes(0));
  }

  TEST_CASE("the arguments of a child are kept until it has them") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      CHECK(context.call(how_many, many(100)) == 100);  // and a fork server is there
      const Count count;
      for (int i = 0; i < 3; ++i) CHECK(context.call(how_many, many(100)) == 100);
      CHECK_MESSAGE(count.becomes(0), count.more(), " more than before");
    });
  }

  TEST_CASE("a forked child keeps nothing of what its parent keeps") {
    Taker taker(mp::get_context("spawn"));
    auto [a, b] = mp::Pipe();
    taker.post.send(b);
    b.close();
    const Waiting forked;
    taker.told.send(1);
    CHECK(a.recv<int>() == 7);
    CHECK_THROWS_AS((void)a.recv<int>(), mp::EOFError);
  }

  TEST_CASE("forks while handles are on their way leave none of them kept") {
    if (!mp::test_support::forks_beside_threads()) return;
    std::vector<Waiting> children;
    children.emplace_back();
    const Count one;
    children.emplace_back();
    const int each = one.more();
    const Count count;
    std::atomic<bool> over{false};
    std::thread sender([&] {
      auto [line, far] = mp::Pipe();
      while (!over) {
        line.send(many(2));
        (void)far.recv<std::vector<mp::Connection>>();
      }
    });
    for (int i = 0; i < 20; ++i) children.emplace_back();
    over = true;
    sender.join();
    // The children still live, and may have copies of whatever was open when they were forked.
    CHECK(count.becomes(20 * each));
  }

  TEST_CASE("what cannot be kept is not sent, and the connection goes on") {
    const int needed = kept_for(1) == 0 ? 0 : 3;  // both ends of a pipe, and a duplicate
    const Count count;
    auto [line, far] = mp::Pipe();
    auto [a, b] = mp::Pipe();
    for (int free = 0; free < needed; ++free) {
      CAPTURE(free);
      CHECK(error_with(free, [&] { line.send(b); }) == std::errc::too_many_files_open);
      CHECK(count.is(4));
      line.send(free);
      CHECK(far.recv<int>() == free);
    }
    CHECK_FALSE(error_with(needed, [&] { line.send(b); }));
    CHECK_NOTHROW((void)far.recv<mp::Connection>());
    CHECK(count.becomes(4));
  }
}

}  // namespace backend_kept_handles
