// connection::wait over processes, sentinels and native handles.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <future>
#include <iostream>
#include <list>
#include <ranges>
#include <sstream>
#include <vector>

#include "test_support/start_methods.hpp"

namespace api_waiting {

namespace mp = multiprocessing;
using namespace std::chrono_literals;

void wait_for_ever() { mp::connection::wait({mp::parent_process()->sentinel()}); }
void end() {}

void wait_for_word(mp::Connection connection) { connection.recv<int>(); }
void wait_for_word_at(mp::Address address) { wait_for_word(mp::Client(std::move(address))); }

TEST_SUITE("api.waiting") {
  TEST_CASE("nothing to wait for is nothing, at once") {
    CHECK(mp::connection::wait(std::vector<mp::Sentinel>()).empty());
    CHECK(mp::connection::wait({}).empty());
  }

  TEST_CASE("all that have ended are returned, in order, and the others are not") {
    mp::test_support::with_each_start_method([](mp::Context& context) {
      std::vector<mp::Process> processes;
      for (int i = 0; i < 6; ++i)
        processes.push_back(i % 2 == 0 ? context.Process(end) : context.Process(wait_for_ever));
      for (auto& p : processes) p.start();
      CHECK(mp::connection::wait(processes, 0s).size() <= 3);
      for (std::size_t i = 0; i < 6; i += 2) processes[i].join();
      const auto ready = mp::connection::wait(processes);
      REQUIRE(ready.size() == 3);
      CHECK(ready[0] == mp::Waitable(processes[0]));
      CHECK(ready[1] == mp::Waitable(processes[2]));
      CHECK(ready[2] == mp::Waitable(processes[4]));
      for (auto& p : processes) p.kill();
      for (auto& p : processes) p.join();
    });
  }

  TEST_CASE("sentinels come back as sentinels, whatever the range") {
    mp::Process p(end);
    mp::Process q(wait_for_ever);
    p.start();
    q.start();
    const std::list<mp::Sentinel> sentinels = {q.sentinel(), p.sentinel()};
    const auto ready = mp::connection::wait(sentinels);
    REQUIRE(ready.size() == 1);
    CHECK(ready[0] == p.sentinel());
    CHECK(ready[0] != q.sentinel());
    CHECK(mp::connection::wait({q.sentinel()}, 1ms).empty());
    const std::vector<mp::NativeHandle> handles = {p.sentinel().native_handle(),
                                                   q.sentinel().native_handle()};
    CHECK(mp::connection::wait(handles) == std::vector{handles[0]});
    std::ostringstream text;
    text << p.sentinel();
    CHECK_FALSE(text.str().empty());
    q.kill();
    q.join();
    p.join();
  }

  TEST_CASE("views are waited for, those too that cannot be walked through when const") {
    std::vector<mp::Process> processes;
    for (int i = 0; i < 3; ++i) processes.emplace_back(end);
    for (auto& p : processes) p.start();
    processes[0].join();
    const auto all = [](const mp::Process&) { return true; };
    auto filtered = processes | std::views::filter(all);
    CHECK(mp::connection::wait(filtered).at(0) == mp::Waitable(processes[0]));
    CHECK(mp::connection::wait(processes | std::views::filter(all)).at(0) == mp::Waitable(processes[0]));
    const auto sentinels =
        processes | std::views::transform([](const mp::Process& p) { return p.sentinel(); });
    CHECK(mp::connection::wait(sentinels).at(0) == processes[0].sentinel());
    for (auto& p : processes) p.join();
  }

  TEST_CASE("what a filter lets through is asked once, however long the wait is") {
    std::vector<mp::Process> processes;
    for (int i = 0; i < 3; ++i) processes.emplace_back(end);
    for (auto& p : processes) p.start();
    const auto alive = std::views::filter([](const mp::Process& p) { return p.is_alive(); });
    for (;;) {
      const auto ready = mp::connection::wait(processes | alive);
      if (ready.empty()) break;
      for (const auto& one : ready)
        CHECK(std::any_of(processes.begin(), processes.end(),
                          [&](const mp::Process& p) { return one == mp::Waitable(p); }));
      for (auto& p : processes) p.join(0s);
    }
    for (auto& p : processes) CHECK(p.exitcode() == 0);
  }

  TEST_CASE("things of every kind are waited for together, and each in turn becomes the ready one") {
    auto [near, far] = mp::Pipe();
    auto [other_near, other_far] = mp::Pipe();
    auto [ours, theirs] = mp::Pipe();
    mp::Listener listener;
    mp::Listener for_task;
    mp::Process p(wait_for_word, std::move(theirs));
    p.start();
    mp::Pool pool(1);
    auto result = pool.apply_async(wait_for_word_at, for_task.address());
    auto task = for_task.accept();
    const auto native = mp::Waitable(near).native_handle();
    const std::vector<mp::Waitable> all = {other_near, listener, p.sentinel(), result, native};
    const auto the_one = [&] {
      const auto ready = mp::connection::wait(all);
      REQUIRE(ready.size() == 1);
      return static_cast<std::size_t>(std::ranges::find(all, ready.front()) - all.begin());
    };
    CHECK(mp::connection::wait(all, 0s).empty());

    other_far.send(1);
    CHECK(the_one() == 0);
    CHECK(other_near.recv<int>() == 1);

    auto client = std::async(std::launch::async, [&] { return mp::Client(listener.address()); });
    CHECK(the_one() == 1);
    const auto accepted = listener.accept();
    static_cast<void>(client.get());

    ours.send(1);
    CHECK(the_one() == 2);
    p.join();
    auto left = all;
    left.erase(left.begin() + 2);  // it stays ready
    CHECK(mp::connection::wait(left, 0s).empty());
    CHECK(mp::connection::wait(all) == std::vector{all[2]});

    task.send(1);
    CHECK(mp::connection::wait(left) == std::vector{all[3]});
    result.get();
    std::erase(left, all[3]);

    far.send(1);
    CHECK(mp::connection::wait(left) == std::vector{all[4]});
    CHECK(near.recv<int>() == 1);
    CHECK(mp::connection::wait(left, 0s).empty());
    CHECK(mp::connection::wait(all) == std::vector{all[2], all[3]});
  }

  TEST_CASE("waiting gives up when the token is set") {
    mp::Process q(wait_for_ever);
    q.start();
    mp::StopSource source;
    source.request_stop();
    CHECK_THROWS_AS(mp::connection::wait({q.sentinel()}, mp::infinite, source.token()), mp::CancelledError);
    q.kill();
    q.join();
    CHECK(mp::connection::wait({q.sentinel()}, mp::infinite, source.token()).size() == 1);
  }

  TEST_CASE("hundreds of sentinels, again and again") {
    std::vector<mp::Process> processes;
    for (int i = 0; i < 80; ++i) processes.emplace_back(end);
    std::vector<mp::Sentinel> left;
    for (auto& p : processes) {
      p.start();
      left.push_back(p.sentinel());
    }
    while (!left.empty())
      for (const auto& ready : mp::connection::wait(left)) std::erase(left, ready);
    for (auto& p : processes) {
      CHECK_FALSE(p.is_alive());
      CHECK(p.exitcode() == 0);
    }
  }
}

}  // namespace api_waiting
