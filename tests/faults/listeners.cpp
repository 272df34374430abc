// ctest: timeout=300 cost=40
// A listener among peers that are silent, break off, send garbage, hold another key, or are too many; and
// with a system that fails.
#include <doctest/doctest.h>
#include <multiprocessing/multiprocessing.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "contract/fault.hpp"
#include "contract/listener.hpp"
#include "injection.hpp"
#include "test_support/clean_plan.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace faults_listeners {

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;
using namespace std::chrono_literals;
using namespace mp::test_support;
using platform::Call;

std::vector<std::byte> key(std::string_view text) { return {bytes_of(text).begin(), bytes_of(text).end()}; }

platform::Endpoint endpoint_of(const mp::Listener& listener) {
  const auto address = listener.address();
  if (address.path().empty())
    return {platform::Endpoint::Kind::inet, address.host(), static_cast<std::uint16_t>(address.port()), {}};
  return {platform::usual_endpoint_kind(), {}, 0, address.path()};
}

/// Connects and says no more than it is told to.
platform::Channel raw_peer(const mp::Listener& listener) {
  return std::move(must(platform::connect_to(endpoint_of(listener), patience())).channel);
}

/// A client with the key gets in, at once.
void demand_service(mp::Listener& listener, mp::Protocol protocol) {
  auto client = std::async(std::launch::async, [&] {
    auto connection = mp::Client(listener.address(), {.authkey = key("key"), .protocol = protocol});
    connection.send(connection.recv<int>() + 1);
  });
  for (;;) {
    try {
      auto connection = listener.accept(30s);
      connection.send(1);
      CHECK(connection.recv<int>() == 2);
      break;
    } catch (const mp::AuthenticationError&) {  // of a liar that came before
    }
  }
  client.get();
}

/// What the library warned of, or said at all, as long as this stands.
class Warnings {
 public:
  explicit Warnings(mp::Level from = mp::Level::warning) {
    mp::get_logger().set_level(from);
    mp::set_log_sink([this, from](mp::Level level, std::string_view text) {
      const std::scoped_lock lock(mutex_);
      if (level >= from) text_.append(text).append("\n");
    });
  }
  Warnings(const Warnings&) = delete;
  Warnings& operator=(const Warnings&) = delete;
  ~Warnings() {
    mp::set_log_sink({});
    mp::get_logger().set_level(level_);
  }
  [[nodiscard]] bool tell(std::string_view what) const {
    const std::scoped_lock lock(mutex_);
    return text_.find(what) != std::string::npos;
  }

 private:
  const mp::Level level_ = mp::get_logger().level();
  mutable std::mutex mutex_;
  std::string text_;
};

constexpr std::array protocols = {mp::Protocol::native, mp::Protocol::python};

/// On a port: every system has one, and every protocol goes over it.
mp::Listener listener_on_port(mp::Protocol protocol, int backlog = 64) {
  return mp::Listener({"127.0.0.1", 0}, {.backlog = backlog, .authkey = key("key"), .protocol = protocol});
}

TEST_SUITE("faults.listeners") {
  // No leak check: it is the first, and makes what the system keeps for the whole program.
  TEST_CASE("silent peers hold up nobody, however many they are") {
    for (const auto protocol : protocols) {
      auto listener = listener_on_port(protocol);
      CHECK(mp::connection::wait({listener}, 0s).empty());
      std::vector<platform::Channel> silent;
      for (int i = 0; i < 200; ++i) silent.push_back(raw_peer(listener));
      for (int i = 0; i < 10; ++i) demand_service(listener, protocol);
      // The first of them had to go when the others came.
      CHECK(eventually([&] {
        std::byte byte{};
        for (int i = 0; i < 1000; ++i) {
          const auto count = silent.front().read_some(std::span(&byte, 1));
          if (!count) return false;
          if (*count == 0) return true;
        }
        return false;
      }));
      listener.close();
      for (auto& peer : silent) static_cast<void>(read_to_end(peer));
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a client among a hundred that come at once and are silent is served") {
    for (const auto protocol : protocols) {
      auto listener = listener_on_port(protocol, mp::ListenerOptions().backlog);
      auto server = std::async(std::launch::async, [&] { listener.accept(50s).send(1); });
      auto crowd = std::async(std::launch::async, [&] {
        std::vector<platform::Channel> silent;
        for (int i = 0; i < 100; ++i) silent.push_back(raw_peer(listener));
        return silent;
      });
      for (;;) try {
          auto client =
              mp::Client(listener.address(), {.authkey = key("key"), .protocol = protocol, .timeout = 30s});
          CHECK(client.recv<int>() == 1);
          break;
        } catch (const mp::ConnectionError&) {  // too many came behind it before it had its say
        }
      server.get();
      static_cast<void>(crowd.get());
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "peers that break off in the middle are no error, and hold up nobody") {
    for (const auto protocol : protocols) {
      auto listener = listener_on_port(protocol);
      CHECK(mp::connection::wait({listener}, 0s).empty());
      for (const std::string_view part :
           {std::string_view(), std::string_view("\0", 1), std::string_view("\0\0\0\x49#MPC", 8),
            std::string_view("\0\0\0\x20#CHALL", 10)}) {
        auto peer = raw_peer(listener);
        must(peer.write_all(bytes_of(part), patience()));
      }
      for (int i = 0; i < 3; ++i) demand_service(listener, protocol);
      CHECK_THROWS_AS((void)listener.accept(0s), mp::TimeoutError);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "garbage is an AuthenticationError, costs no memory, and the listener serves on") {
    for (const auto protocol : protocols) {
      auto listener = listener_on_port(protocol);
      for (const std::string_view nonsense :
           {std::string_view("GET / HTTP/1.1\r\n\r\n"),
            std::string_view("\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 12),
            std::string_view("\0\0\1\1", 4), std::string_view("\0\0\0\5hello", 9),
            std::string_view("\0\0\0\0", 4)}) {
        CHECK(mp::connection::wait({listener}, 0s).empty());
        auto peer = raw_peer(listener);
        must(peer.write_all(bytes_of(nonsense), patience()));
        CHECK_THROWS_AS((void)listener.accept(30s), mp::AuthenticationError);
        demand_service(listener, protocol);
      }
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "what is said of a peer that lies, or leaves, names it") {
    const auto name_of = [](const platform::Endpoint& end) {
      return "(" + end.host + ":" + std::to_string(end.port) + ")";
    };
    const Warnings said(mp::Level::info);
    for (const auto protocol : protocols) {
      auto listener = listener_on_port(protocol);
      CHECK(mp::connection::wait({listener}, 0s).empty());
      auto liar = must(platform::connect_to(endpoint_of(listener), patience()));
      must(liar.channel.write_all(bytes_of("GET / HTTP/1.1\r\n\r\n"), patience()));
      CHECK_THROWS_WITH_AS((void)listener.accept(30s), doctest::Contains(name_of(liar.local).c_str()),
                           mp::AuthenticationError);
      auto leaver = must(platform::connect_to(endpoint_of(listener), patience()));
      leaver.channel.close();
      CHECK(eventually([&] { return said.tell("it went away " + name_of(leaver.local)); }));
    }
    mp::Listener open_to_all({"127.0.0.1", 0});
    auto liar = must(platform::connect_to(endpoint_of(open_to_all), patience()));
    auto connection = open_to_all.accept(30s);
    must(liar.channel.write_all(bytes_of("\xff\xff\xff\x01"), patience()));
    CHECK_THROWS_WITH_AS((void)connection.recv_bytes(), doctest::Contains(name_of(liar.local).c_str()),
                         mp::OSError);
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "a listener that begins a word and goes no further holds a client up for seconds") {
    for (const auto protocol : protocols) {
      auto liar = must(platform::Listener::listen({platform::Endpoint::Kind::inet, "127.0.0.1", 0, {}}, 1));
      auto client = std::async(std::launch::async, [&] {
        return mp::Client({"127.0.0.1", liar.address().port}, {.authkey = key("key"), .protocol = protocol});
      });
      auto victim = std::move(must(liar.accept(patience())).channel);
      must(victim.write_all(bytes_of(std::string_view("\0", 1)), patience()));
      CHECK(client.wait_for(30s) == std::future_status::ready);
      victim.close();
      CHECK_THROWS_AS((void)client.get(), mp::TimeoutError);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a flood of wrong keys is told in a few errors, and a right one comes first") {
    auto listener = listener_on_port(mp::Protocol::native);
    CHECK(mp::connection::wait({listener}, 0s).empty());
    for (int i = 0; i < 100; ++i)
      CHECK_THROWS_AS((void)mp::Client(listener.address(), {.authkey = key("wrong")}),
                      mp::AuthenticationError);
    auto client = mp::Client(listener.address(), {.authkey = key("key")});
    // It is admitted by the time that its handshake has ended, or an instant later.
    auto server = [&] {
      for (int refused = 0;; ++refused) {
        REQUIRE(refused <= 16);
        try {
          return listener.accept(30s);
        } catch (const mp::AuthenticationError&) {
        }
      }
    }();
    server.send(7);
    CHECK(client.recv<int>() == 7);
    int errors = 0;
    for (; errors <= 100; ++errors) {
      try {
        static_cast<void>(listener.accept(0s));
      } catch (const mp::AuthenticationError&) {
        continue;
      } catch (const mp::TimeoutError&) {
        break;
      }
    }
    CHECK(errors <= 16);
  }

  TEST_CASE_FIXTURE(LeakCheck, "a handshake that is relayed to another listener is refused") {
    auto real = listener_on_port(mp::Protocol::native);
    CHECK(mp::connection::wait({real}, 0s).empty());
    auto relay = must(platform::Listener::listen({platform::Endpoint::Kind::inet, "127.0.0.1", 0, {}}, 1));
    auto client = std::async(std::launch::async, [&] {
      return mp::Client({"127.0.0.1", relay.address().port}, {.authkey = key("key")});
    });
    auto victim = std::move(must(relay.accept(patience())).channel);
    auto target = raw_peer(real);
    const auto pass_on = [](platform::Channel& from, platform::Channel& to, std::size_t size) {
      std::vector<std::byte> message(4 + size);
      must(from.read_all(message, patience()));
      must(to.write_all(message, patience()));
    };
    pass_on(target, victim, 41);
    pass_on(victim, target, 73);
    pass_on(target, victim, 1);  // the refusal
    CHECK_THROWS_AS(client.get(), mp::AuthenticationError);
    CHECK_THROWS_AS((void)real.accept(30s), mp::AuthenticationError);
  }

  TEST_CASE_FIXTURE(LeakCheck, "who was told that he is in is served, however many come meanwhile") {
    mp::Listener listener({}, {.backlog = 8, .authkey = key("key")});
    CHECK(mp::connection::wait({listener}, 0s).empty());
    std::atomic<bool> enough = false;
    std::vector<std::future<void>> flood;
    for (int i = 0; i < 2; ++i)
      flood.push_back(std::async(std::launch::async, [&] {
        std::vector<platform::Channel> silent(100);
        for (std::size_t n = 0; !enough; ++n) silent[n % silent.size()] = raw_peer(listener);
      }));
    auto server = std::async(std::launch::async, [&] {
      for (int served = 0; served < 40; ++served) listener.accept(30s).send(served);
    });
    for (int served = 0; served < 40;) {
      std::optional<mp::Connection> client;
      try {
        client = mp::Client(listener.address(), {.authkey = key("key")});
      } catch (const mp::OSError&) {
        continue;  // dropped before it had its say
      } catch (const mp::EOFError&) {
        continue;
      }
      CHECK(client->recv<int>() == served++);
    }
    server.get();
    enough = true;
    for (auto& each : flood) each.get();
  }

  TEST_CASE_FIXTURE(LeakCheck, "peers that came and were not accepted are let go of with the listener") {
    auto listener = listener_on_port(mp::Protocol::native, 4);
    CHECK(mp::connection::wait({listener}, 0s).empty());
    std::vector<mp::Connection> clients;
    for (int i = 0; i < 4; ++i) clients.push_back(mp::Client(listener.address(), {.authkey = key("key")}));
    listener.close();
    for (auto& client : clients) CHECK_THROWS_AS((void)client.recv<int>(), mp::EOFError);
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "a system that fails when somebody is taken in loses nobody who is waited for") {
    const CleanPlan clean;
    for (const auto& row : {platform::fault_row(Call::listener_accept)})
      for (const auto condition : row.distinct()) {
        CAPTURE(condition);
        auto listener = listener_on_port(mp::Protocol::native);
        platform::fault_plan::clear();
        platform::fault_plan::fail(row.call, 1, condition);
        demand_service(listener, mp::Protocol::native);
        CHECK(platform::fault_plan::injected() == 1);
        platform::fault_plan::clear();
      }
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "a peer that goes because the system failed is told in a warning that says how") {
    const CleanPlan clean;
    for (const auto& [call, what] : {std::pair(Call::channel_read, "could not be read"),
                                     std::pair(Call::channel_write, "could not be spoken to")}) {
      CAPTURE(what);
      const Warnings warnings;
      auto listener = listener_on_port(mp::Protocol::native);
      CHECK(mp::connection::wait({listener}, 0s).empty());
      platform::fault_plan::clear();
      platform::fault_plan::fail(call, 1, platform::Condition::out_of_memory);
      auto peer = raw_peer(listener);
      CHECK(eventually([&] {
        // Spoken to before it says anything, so that its own write is not the one that fails.
        if (call == Call::channel_read) static_cast<void>(peer.write_all(bytes_of("x"), patience()));
        return warnings.tell(what) && warnings.tell("memory");
      }));
      CHECK(platform::fault_plan::injected() == 1);
      platform::fault_plan::clear();
      demand_service(listener, mp::Protocol::native);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck,
                    "a system that refuses to listen or to connect is an OSError, and nothing leaks") {
    const CleanPlan clean;
    mp::Listener listener;
    const auto address = listener.address();
    for (const Call call : {Call::listener_listen, Call::connect})
      for (const auto condition : platform::fault_row(call).distinct()) {
        CAPTURE(condition);
        platform::fault_plan::clear();
        platform::fault_plan::fail(call, 1, condition);
        try {
          if (call == Call::connect)
            static_cast<void>(mp::Client(address));
          else
            mp::Listener another;
          FAIL_CHECK("no error");
        } catch (const mp::TimeoutError&) {
          CHECK(condition == platform::Condition::timed_out);
        } catch (const mp::OSError&) {
        }
        CHECK(platform::fault_plan::injected() == 1);
      }
  }
}

}  // namespace faults_listeners
