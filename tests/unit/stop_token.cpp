// Stop requests: tokens, sources, callbacks, and the bridges to the standard's.
#include <multiprocessing/stop_token.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace mp = multiprocessing;

TEST_SUITE("unit.stop_token") {
  TEST_CASE("a source that was moved from requests nothing") {
    mp::StopSource source;
    const mp::StopSource other = std::move(source);
    CHECK_FALSE(source.request_stop());
    CHECK_FALSE(source.stop_requested());
    CHECK_FALSE(source.token().stop_possible());
    CHECK_FALSE(other.stop_requested());
  }

  TEST_CASE("an empty token never stops and calls nobody") {
    const mp::StopToken token;
    CHECK_FALSE(token.stop_possible());
    CHECK_FALSE(token.stop_requested());
    CHECK(token == mp::StopToken());
    const mp::StopCallback callback(token, [] { FAIL("called"); });
  }

  TEST_CASE("copies of a source and of a token are about the same request") {
    mp::StopSource source;
    mp::StopSource copy = source;
    const mp::StopToken token = source.get_token();
    CHECK(token == copy.token());
    CHECK(token != mp::StopSource().token());
    CHECK(token.stop_possible());
    CHECK_FALSE(token.stop_requested());
    CHECK(copy.request_stop());
    CHECK(token.stop_requested());
    CHECK(source.stop_requested());
    CHECK_FALSE(source.request_stop());
  }

  TEST_CASE("each callback runs once, in the order of registration, in the thread that requests") {
    mp::StopSource source;
    std::vector<int> order;
    std::thread::id where;
    const mp::StopCallback first(source.token(), [&] { order.push_back(1); });
    const mp::StopCallback second(source.token(), [&] {
      order.push_back(2);
      where = std::this_thread::get_id();
    });
    std::thread requester([&] { source.request_stop(); });
    const auto requester_id = requester.get_id();
    requester.join();
    source.request_stop();
    CHECK(order == std::vector{1, 2});
    CHECK(where == requester_id);
  }

  TEST_CASE("a callback for a request that was made runs at once") {
    mp::StopSource source;
    source.request_stop();
    bool called = false;
    const mp::StopCallback callback(source.token(), [&] { called = true; });
    CHECK(called);
  }

  TEST_CASE("a destroyed callback is not called, and what it held is let go") {
    mp::StopSource source;
    const auto held = std::make_shared<int>(1);
    {
      const mp::StopCallback callback(source.token(), [held] { FAIL("called"); });
    }
    CHECK(held.use_count() == 1);
    source.request_stop();
  }

  TEST_CASE("a callback may destroy itself, and another one") {
    mp::StopSource source;
    std::optional<mp::StopCallback> itself;
    std::optional<mp::StopCallback> other;
    bool called = false;
    itself.emplace(source.token(), [&] {
      itself.reset();
      other.reset();
      called = true;
    });
    other.emplace(source.token(), [] { FAIL("called after it was destroyed"); });
    source.request_stop();
    CHECK(called);
  }

  TEST_CASE("a callback may register another one, which runs at once") {
    mp::StopSource source;
    std::optional<mp::StopCallback> inner;
    bool called = false;
    const mp::StopCallback outer(source.token(),
                                 [&] { inner.emplace(source.token(), [&] { called = true; }); });
    source.request_stop();
    CHECK(called);
  }

  TEST_CASE("a callback may destroy the last source and the last token") {
    auto source = std::make_unique<mp::StopSource>();
    std::optional<mp::StopCallback> callback;
    callback.emplace(source->token(), [&] {
      source.reset();
      callback.reset();
    });
    mp::StopSource* const raw = source.get();
    CHECK(raw->request_stop());
    CHECK(source == nullptr);
  }

  TEST_CASE("the destructor waits while the function runs in another thread") {
    mp::StopSource source;
    std::promise<void> started;
    std::atomic<bool> destroying = false;
    bool finished = false;  // not atomic: the destructor's wait is what makes reading it safe
    std::optional<mp::StopCallback> callback;
    callback.emplace(source.token(), [&] {
      started.set_value();
      while (!destroying) std::this_thread::yield();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      finished = true;
    });
    std::thread requester([&] { source.request_stop(); });
    started.get_future().wait();
    destroying = true;
    callback.reset();
    CHECK(finished);
    requester.join();
  }

  TEST_CASE("callbacks that come and go while the request is made are called or not, never after their end") {
    for (int round = 0; round < 200; ++round) {
      mp::StopSource source;
      std::atomic<bool> go = false;
      std::thread requester([&] {
        while (!go) std::this_thread::yield();
        source.request_stop();
      });
      go = true;
      for (int i = 0; i < 20; ++i) {
        int calls = 0;
        {
          const mp::StopCallback callback(source.token(), [&] { ++calls; });
        }
        CHECK(calls <= 1);
      }
      requester.join();
    }
  }

  TEST_CASE("of many requests at a time exactly one is the first") {
    for (int round = 0; round < 50; ++round) {
      mp::StopSource source;
      std::atomic<int> calls = 0;
      std::atomic<int> firsts = 0;
      const mp::StopCallback callback(source.token(), [&] { ++calls; });
      std::vector<std::thread> threads;
      for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
          if (source.request_stop()) ++firsts;
        });
      for (auto& thread : threads) thread.join();
      CHECK(calls == 1);
      CHECK(firsts == 1);
    }
  }

#if defined(__cpp_lib_jthread)
  TEST_CASE("our token follows the standard's") {
    std::stop_source standard;
    const mp::StopToken token = standard.get_token();
    bool called = false;
    const mp::StopCallback callback(token, [&] { called = true; });
    CHECK_FALSE(token.stop_requested());
    standard.request_stop();
    CHECK(token.stop_requested());
    CHECK(called);
    CHECK(mp::StopToken(standard.get_token()).stop_requested());
    CHECK_FALSE(mp::StopToken(std::stop_token()).stop_possible());
  }

  TEST_CASE("the standard's token follows ours") {
    mp::StopSource source;
    const std::stop_token before = source.token();
    CHECK(before.stop_possible());
    CHECK_FALSE(before.stop_requested());
    source.request_stop();
    CHECK(before.stop_requested());
    const std::stop_token after = source.token();
    CHECK(after.stop_requested());
    const std::stop_token none = mp::StopToken();
    CHECK_FALSE(none.stop_possible());
  }

  TEST_CASE("a token that went there and back still follows, after our own is gone") {
    std::stop_source standard;
    const std::stop_token back = mp::StopToken(standard.get_token());
    standard.request_stop();
    CHECK(back.stop_requested());
  }

  TEST_CASE("a callback of a followed request may drop the last token") {
    std::stop_source standard;
    std::optional<mp::StopCallback> callback;
    callback.emplace(mp::StopToken(standard.get_token()), [&] { callback.reset(); });
    standard.request_stop();
    CHECK_FALSE(callback.has_value());
  }
#endif
}
