// Several threads on one process object: what one of them closes or looks at, another may be waiting for.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <span>
#include <string>
#include <thread>

#include "test_support/abilities.hpp"
#include "test_support/start_methods.hpp"

namespace api_races {

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void end() {}
int answer() { return 42; }
void wait_for_ever() { mp::connection::wait({mp::parent_process()->sentinel()}); }
void say(std::string text) { mp::exit(text == "kept" ? 0 : 1); }

void talk_when_told(mp::Connection line) {
  std::fputs("early", stdout);
  std::fflush(stdout);
  line.send(std::string("here"));
  line.recv<std::string>();
  std::fputs("late", stdout);
}

void leave_output_to_another(mp::Connection line) {
  mp::SpawnProcess p(mp::ProcessOptions{.on_parent_death = mp::OnParentDeath::keep_running}, talk_when_told,
                     std::move(line));
  p.start();
  wait_for_ever();
}

/// What is read up to the stream's end, or what reading throws.
std::string all_of(mp::ByteStream& stream) try {
  std::string text;
  for (const auto byte : stream.read_all()) text += static_cast<char>(byte);
  return text;
} catch (const std::exception& error) {
  return error.what();
}

/// Calls `work` in another thread, over and over, as long as it lives.
template <class Work>
class Meanwhile {
 public:
  explicit Meanwhile(Work work)
      : thread_([this, work] {
          while (!done_) work();
        }) {}
  Meanwhile(const Meanwhile&) = delete;
  Meanwhile& operator=(const Meanwhile&) = delete;
  ~Meanwhile() {
    done_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

void join_and_close_all() {
  for (auto& child : mp::active_children()) {
    child.join();
    child.close();
  }
}

TEST_SUITE("api.races") {
  TEST_CASE("stop() in one thread, is_alive() in another") {
    for (int i = 0; i < 20; ++i) {
      mp::Process p(wait_for_ever);
      p.start();
      const Meanwhile looking([&] { static_cast<void>(p.is_alive()); });
      CHECK_NOTHROW(p.stop(0s));
      CHECK(p.exitcode());
    }
  }

  TEST_CASE("join() in one thread, close() in another: join says that it has ended") {
    for (int i = 0; i < 20; ++i) {
      mp::Process p(end);
      p.start();
      std::thread closer([&] {
        for (;;) try {
            return p.close();
          } catch (const mp::ValueError&) {
            std::this_thread::yield();
          }
      });
      try {
        const bool ended = p.join(20s);  // outside of CHECK, which would catch
        CHECK(ended);
      } catch (const mp::ValueError&) {
        // The closer was first.
      }
      closer.join();
    }
  }

  TEST_CASE("what one thread reads from a stream goes on although another closes the process") {
    auto [ours, theirs] = mp::Pipe();
    mp::SpawnProcess p(mp::ProcessOptions{.standard_output = mp::Stdio::pipe}, leave_output_to_another,
                       std::move(theirs));
    p.start();
    auto& output = p.standard_output();
    std::array<std::byte, 5> early{};
    for (std::size_t size = 0; size < early.size();) size += output.read_some(std::span(early).subspan(size));
    std::string text;
    std::thread reader([&] { text = all_of(output); });
    CHECK(ours.recv<std::string>() == "here");
    std::this_thread::sleep_for(300ms);  // it reads by now, or the test proves nothing
    p.kill();
    p.join();
    p.close();
    ours.send(std::string("go on"));
    reader.join();
    CHECK(text == "late");
    CHECK_THROWS_AS(output.read_all(), mp::ValueError);
  }

  TEST_CASE("calls return their results although another thread joins and closes their processes") {
    const Meanwhile closing(join_and_close_all);
    for (int i = 0; i < 20; ++i) {
      CHECK(mp::get_context("spawn").call(answer) == 42);
      CHECK(mp::get_context("spawn").call_async(answer).result(30s) == 42);
    }
  }

  TEST_CASE("a child that another thread forks meanwhile does not keep a pipe open") {
    if (!mp::test_support::can_fork() || !mp::test_support::forks_beside_threads()) return;
    const Meanwhile forking([] {
      mp::ForkProcess p([] {});
      p.start();
      p.join();
    });
    for (int i = 0; i < 40; ++i) {
      mp::SpawnProcess p(mp::ProcessOptions{.standard_output = mp::Stdio::pipe}, end);
      p.start();
      CHECK(p.standard_output().read_all().empty());
      p.join();
    }
  }

  TEST_CASE("calls of one thread lose nothing while another starts and calls") {
    mp::test_support::with_each_start_method_beside_threads([](mp::Context& context) {
      const Meanwhile starting([&] {
        auto p = context.Process(end);
        p.start();
        p.join();
        static_cast<void>(mp::get_context("spawn").call(answer));
      });
      const int calls = mp::test_support::is_slow() ? 15 : 150;
      for (int i = 0; i < calls; ++i) CHECK(context.call(answer) == 42);
    });
  }

  TEST_CASE("streams that one thread closes are no other's, although a third forks") {
    if (!mp::test_support::can_fork() || !mp::test_support::forks_beside_threads()) return;
    const Meanwhile forking([] {
      mp::ForkProcess p([] {});
      p.start();
      p.join();
    });
    const Meanwhile piping([] {
      mp::SpawnProcess p(mp::ProcessOptions{.standard_input = mp::Stdio::pipe}, end);
      p.start();
      p.standard_input().close();
      p.join();
    });
    for (int i = 0; i < 100; ++i) CHECK(mp::get_context("fork").call(answer) == 42);
  }

  TEST_CASE("run() in the parent leaves the arguments for start()") {
    mp::Process p(say, "kept");
    mp::Process q([](std::string text) { static_cast<void>(text); }, "used");
    q.run();
    p.set_name("after");
    p.start();
    p.join();
    CHECK(p.exitcode() == 0);
    q.start();
    q.join();
    CHECK(q.exitcode() == 0);
  }
}

}  // namespace api_races
