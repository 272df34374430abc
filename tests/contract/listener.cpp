// Listening and connecting: every kind of address that the system has, and each way that it fails.
#include "contract/listener.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "contract/capabilities.hpp"
#include "contract/handle_transfer.hpp"
#include "contract/process.hpp"
#include "test_support/child.hpp"
#include "test_support/leak_check.hpp"
#include "test_support/listener.hpp"
#include "test_support/messages.hpp"
#include "test_support/results.hpp"
#include "test_support/watchdog.hpp"

namespace multiprocessing::platform::listener_tests {
namespace {

using namespace test_support;
using Kind = Endpoint::Kind;

/// One of each kind that this system and machine have.
std::vector<Endpoint> endpoints() {
  std::vector<Endpoint> all;
  for (const Kind kind : {Kind::inet, Kind::inet6, Kind::unix_socket, Kind::pipe}) {
    auto endpoint = unused_endpoint(kind);
    if (!endpoint) continue;
    if (Listener::listen(*endpoint, 1)) all.push_back(must(unused_endpoint(kind)));
  }
  return all;
}

ConnectedStream connected(const Endpoint& endpoint) { return must(connect_to(endpoint, patience())); }

/// Listens under the path in its argument, says so, and waits to be killed.
const ChildFunction listens("listens_until_killed", [](ChildContext& context) {
  const auto listener = must(Listener::listen({Kind::unix_socket, {}, 0, context.arguments.at(0)}, 1));
  send_text(context.channel, "listening");
  return at_end(context.channel) ? 0 : 1;
});

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("mp_listener_" + std::to_string(current_pid()));
  Folder() { std::filesystem::create_directory(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  [[nodiscard]] Endpoint at(const std::string& name) const {
    return {Kind::unix_socket, {}, 0, (path / name).string()};
  }
};

bool no_unix_sockets() {
  if (unused_endpoint(Kind::unix_socket)) return false;
  skip("there are no unix sockets here");
  return true;
}

}  // namespace

TEST_SUITE("contract.listener") {
  // Not counted: a system may open something of its own when the first socket is made.
  TEST_CASE("the usual kind of address can be listened on") {
    CHECK_FALSE(endpoints().empty());
    const auto endpoint = must(unused_endpoint(usual_endpoint_kind()));
    const auto listener = must(Listener::listen(endpoint, 1));
    CHECK(listener.address() == endpoint);
    CHECK(is_local(endpoint));
  }

  TEST_CASE_FIXTURE(LeakCheck, "what connects is accepted, and bytes go both ways") {
    for (const Endpoint& endpoint : endpoints()) {
      CAPTURE(static_cast<int>(endpoint.kind));
      auto listener = must(Listener::listen(endpoint, 1));
      CHECK((listener.address().port != 0) == endpoint.path.empty());
      auto accepting = std::async(std::launch::async, [&] { return must(listener.accept(patience())); });
      auto client = connected(listener.address());
      auto server = accepting.get();
      CHECK(client.peer == server.local);
      CHECK(is_local(server.local));
      send_text(client.channel, "there");
      CHECK(receive_text(server.channel) == "there");
      send_text(server.channel, "back");
      CHECK(receive_text(client.channel) == "back");
      client.channel.close();
      CHECK(at_end(server.channel));
      CHECK(outcome(wait_one(server.channel.readable(), patience())) == success);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "many bytes go through every kind of stream, both ways at once") {
    constexpr std::size_t size = 4 << 20;
    for (const Endpoint& endpoint : endpoints()) {
      CAPTURE(static_cast<int>(endpoint.kind));
      auto listener = must(Listener::listen(endpoint, 1));
      auto accepting = std::async(std::launch::async, [&] { return must(listener.accept(patience())); });
      auto client = connected(listener.address());
      auto server = accepting.get();
      const auto sent = pattern(size, 5);
      std::vector<std::byte> here(size);
      std::vector<std::byte> there(size);
      std::vector<std::future<Outcome>> threads;
      const auto run = [&](auto work) { threads.push_back(std::async(std::launch::async, work)); };
      run([&] { return outcome(client.channel.write_all(sent, patience())); });
      run([&] { return outcome(server.channel.write_all(sent, patience())); });
      run([&] { return outcome(client.channel.read_all(here, patience())); });
      run([&] { return outcome(server.channel.read_all(there, patience())); });
      for (auto& thread : threads) CHECK(thread.get() == success);
      CHECK((here == sent));
      CHECK((there == sent));
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "a listener is ready when somebody connects, and not after") {
    for (const Endpoint& endpoint : endpoints()) {
      CAPTURE(static_cast<int>(endpoint.kind));
      auto listener = must(Listener::listen(endpoint, 4));
      CHECK(outcome(listener.accept()) == Condition::would_block);
      CHECK(outcome(wait_one(listener.acceptable(), Deadline::now())) == Condition::timed_out);
      for (int i = 0; i < 3; ++i) {
        auto client = connected(listener.address());
        CHECK(outcome(wait_one(listener.acceptable(), patience())) == success);
        auto server = must(listener.accept());
        CHECK(outcome(listener.accept()) == Condition::would_block);
        send_text(client.channel, "hello");
        CHECK(receive_text(server.channel) == "hello");
      }
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "accepting ends with the time and with a wakeup") {
    for (const Endpoint& endpoint : endpoints()) {
      CAPTURE(static_cast<int>(endpoint.kind));
      auto listener = must(Listener::listen(endpoint, 1));
      CHECK(outcome(listener.accept(Deadline::now())) == Condition::timed_out);
      CHECK(outcome(listener.accept(Deadline::after(std::chrono::milliseconds(1)))) == Condition::timed_out);
      const Wakeup wakeup = must(Wakeup::create());
      auto waiting = std::async(std::launch::async,
                                [&] { return outcome(listener.accept(Deadline::never(), &wakeup)); });
      wakeup.notify();
      CHECK(waiting.get() == Condition::cancelled);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "an address that is taken is refused") {
    for (const Endpoint& endpoint : endpoints()) {
      CAPTURE(static_cast<int>(endpoint.kind));
      auto listener = must(Listener::listen(endpoint, 1));
      CHECK(outcome(Listener::listen(listener.address(), 1)) == Condition::already_exists);
      // and the listener listens on
      auto accepting = std::async(std::launch::async, [&] { return must(listener.accept(patience())); });
      const auto client = connected(listener.address());
      const auto server = accepting.get();
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "an address where nobody listens any more refuses, and is free again") {
    for (const Endpoint& endpoint : endpoints()) {
      CAPTURE(static_cast<int>(endpoint.kind));
      auto listener = must(Listener::listen(endpoint, 1));
      const Endpoint address = listener.address();
      listener.close();
      const auto refused = outcome(connect_to(address, patience()));
      CHECK(refused == (address.path.empty() ? Condition::broken : Condition::not_found));
      CHECK(outcome(Listener::listen(address, 1)) == success);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "hosts are turned into numbers, and known for local or not") {
    const auto resolved = must(resolve_endpoint({Kind::inet, "localhost", 80, {}}));
    CHECK(resolved == Endpoint{Kind::inet, "127.0.0.1", 80, {}});
    CHECK(is_local(resolved));
    CHECK(is_local({Kind::inet, "127.9.9.9", 0, {}}));
    CHECK(is_local({Kind::inet6, "::1", 0, {}}));
    CHECK_FALSE(is_local({Kind::inet6, "::", 0, {}}));
    CHECK_FALSE(is_local({Kind::inet, "192.0.2.1", 0, {}}));
    CHECK_FALSE(is_local({Kind::inet, "0.0.0.0", 0, {}}));
    CHECK_FALSE(is_local({Kind::inet, "localhost", 0, {}}));
    CHECK_FALSE(is_local(must(resolve_endpoint({Kind::inet, "", 80, {}}))));
    const auto unknown = resolve_endpoint({Kind::inet, "no such host", 80, {}});
    REQUIRE(outcome(unknown) == Condition::not_found);
    // In the words of who looked for it, who knows of no files.
    CHECK(unknown.error().to_string().find("file") == std::string::npos);
    CHECK(unknown.error().code() != std::errc::permission_denied);
  }

  TEST_CASE_FIXTURE(LeakCheck, "an address that is none, or another machine's, is not listened on") {
    CHECK(outcome(Listener::listen({Kind::inet, "192.0.2.1", 0, {}}, 1)) == Condition::not_found);
    CHECK(outcome(Listener::listen({usual_endpoint_kind(), {}, 0, ""}, 1)) == Condition::invalid_argument);
    CHECK(outcome(connect_to({usual_endpoint_kind(), {}, 0, ""}, patience())) == Condition::invalid_argument);
  }

  TEST_CASE_FIXTURE(LeakCheck, "connecting ends with the time and with a wakeup") {
    auto endpoint = must(unused_endpoint(usual_endpoint_kind()));
    auto listener = must(Listener::listen(endpoint, 1));
    // Nobody accepts: sooner or later there is no more room.
    std::vector<ConnectedStream> queued;
    for (int i = 0; i < 10'000; ++i) {
      auto stream = connect_to(endpoint, Deadline::now());
      if (!stream && endpoint.kind == Kind::unix_socket && !capabilities().tells_abandoned &&
          outcome(stream) == Condition::broken)
        return;
      if (!stream) {
        CHECK(outcome(stream) == Condition::timed_out);
        const Wakeup wakeup = must(Wakeup::create());
        wakeup.notify();
        CHECK(outcome(connect_to(endpoint, Deadline::never(), &wakeup)) == Condition::cancelled);
        auto late = std::async(std::launch::async, [&] { return outcome(connect_to(endpoint, patience())); });
        must(listener.accept(patience()));
        CHECK(late.get() == success);
        return;
      }
      queued.push_back(*std::move(stream));
    }
    FAIL("ten thousand were queued");
  }

  TEST_CASE_FIXTURE(LeakCheck, "a path that is too long, in no folder, or no socket is refused") {
    if (no_unix_sockets()) return;
    const Folder folder;
    CHECK(outcome(Listener::listen(folder.at(std::string(200, 'x')), 1)) == Condition::too_long);
    CHECK(outcome(connect_to(folder.at(std::string(200, 'x')), patience())) == Condition::too_long);
    CHECK(outcome(Listener::listen(folder.at("no/such/folder"), 1)) == Condition::not_found);
    CHECK(outcome(connect_to(folder.at("nothing"), patience())) == Condition::not_found);
    const auto file = folder.at("file");
    std::ofstream(file.path) << "kept";
    CHECK(outcome(Listener::listen(file, 1)) == Condition::already_exists);
    CHECK(std::filesystem::file_size(file.path) == 4);
    CHECK(outcome(connect_to(file, patience())) == Condition::broken);
  }

  TEST_CASE_FIXTURE(LeakCheck, "the socket of a process that was killed is replaced, and goes at the end") {
    if (no_unix_sockets()) return;
    const Folder folder;
    const auto endpoint = folder.at("left");
    auto child = start(listens, {endpoint.path});
    CHECK(receive_text(child.channel) == "listening");
    CHECK(outcome(Listener::listen(endpoint, 1)) == Condition::already_exists);
    must(child.process.send(StopSignal::kill));
    child.join();
    CHECK(std::filesystem::exists(endpoint.path));
    CHECK(outcome(connect_to(endpoint, patience())) == Condition::broken);
    if (!capabilities().tells_abandoned) {
      CHECK(outcome(Listener::listen(endpoint, 1)) == Condition::already_exists);
      CHECK(std::filesystem::exists(endpoint.path));
      return;
    }
    {
      auto listener = must(Listener::listen(endpoint, 1));
      const auto client = connected(endpoint);
      const auto rights = std::filesystem::status(endpoint.path).permissions();
      CHECK((rights & (std::filesystem::perms::group_all | std::filesystem::perms::others_all)) ==
            std::filesystem::perms::none);
    }
    CHECK_FALSE(std::filesystem::exists(endpoint.path));
  }

  TEST_CASE_FIXTURE(LeakCheck, "a listener takes only its own file away") {
    if (no_unix_sockets()) return;
    const Folder folder;
    const auto endpoint = folder.at("moved");
    auto first = must(Listener::listen(endpoint, 1));
    std::filesystem::remove(endpoint.path);
    auto second = must(Listener::listen(endpoint, 1));
    first.close();
    const auto client = connected(endpoint);
    CHECK(outcome(second.accept()) == success);
  }

  // No leak check: so many threads may leave something of the system behind.
  TEST_CASE("of several that want one address at the same moment, one gets it") {
    for (const Endpoint& endpoint : endpoints()) {
      if (endpoint.path.empty()) continue;  // a port is asked for by number only once it is known
      CAPTURE(static_cast<int>(endpoint.kind));
      for (int round = 0; round < 60; ++round) {
        constexpr int several = 4;
        std::atomic<int> there = 0;  // a latch of libstdc++ 12 was seen to wait for ever on Windows
        std::vector<std::future<Result<Listener>>> all;
        for (int i = 0; i < several; ++i)
          all.push_back(std::async(std::launch::async, [&] {
            ++there;
            while (there < several) std::this_thread::yield();
            return Listener::listen(endpoint, 8);
          }));
        std::vector<Listener> listeners;
        for (auto& each : all) {
          auto made = each.get();
          if (made)
            listeners.push_back(*std::move(made));
          else
            CHECK(outcome(made) == Condition::already_exists);
        }
        REQUIRE(listeners.size() == 1);
        const auto client = connected(endpoint);
        CHECK(outcome(listeners.front().accept(patience())) == success);
        // Every other round finds the file of one that has ended without taking it away.
        if (endpoint.kind == Kind::unix_socket && capabilities().tells_abandoned && round % 2 == 0) {
          const auto kept = endpoint.path + "-kept";
          std::filesystem::create_hard_link(endpoint.path, kept);
          listeners.clear();
          std::filesystem::rename(kept, endpoint.path);
        }
      }
      if (endpoint.kind == Kind::unix_socket) std::filesystem::remove(endpoint.path);
    }
  }

  TEST_CASE_FIXTURE(LeakCheck, "both ends know a unix socket by its path without links") {
    if (no_unix_sockets()) return;
    const Folder folder;
    const auto name = folder.at("socket");
    std::filesystem::create_directory_symlink(folder.path, folder.path / "link");
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path);
    auto listener = must(Listener::listen({Kind::unix_socket, {}, 0, "socket"}, 1));
    std::filesystem::current_path(before);
    CHECK(listener.address().path == "socket");
    for (const std::string& path : {name.path, (folder.path / "link" / "link" / "socket").string()}) {
      const auto client = connected({Kind::unix_socket, {}, 0, path});
      const auto server = must(listener.accept(patience()));
      CHECK(client.peer == server.local);
      CHECK(client.peer.path == std::filesystem::canonical(folder.path) / "socket");
    }
    listener.close();
    CHECK_FALSE(std::filesystem::exists(name.path));
  }

  TEST_CASE_FIXTURE(LeakCheck, "names that killed processes left in the folder of this user are removed") {
    if (no_unix_sockets()) return;
    auto left = must(unused_endpoint(Kind::unix_socket));
    const auto dash = left.path.rfind('-');
    // of a process that had this pid at another time
    const auto begin = left.path.rfind('-', dash - 1);
    left.path = left.path.substr(0, begin) + "-1" + left.path.substr(dash);
    auto living = must(Listener::listen(left, 1));
    static_cast<void>(must(unused_endpoint(Kind::unix_socket)));
    CHECK(std::filesystem::exists(left.path));  // somebody answers
    must(living.accept(patience()));
    living.close();
    auto child = start(listens, {left.path});
    CHECK(receive_text(child.channel) == "listening");
    must(child.process.send(StopSignal::kill));
    child.join();           // another test beside this one may have removed it by now
    CHECK(eventually([&] {  // not while another tidies up
      static_cast<void>(must(unused_endpoint(Kind::unix_socket)));
      return !std::filesystem::exists(left.path);
    }));
  }

  TEST_CASE_FIXTURE(LeakCheck, "handles travel between processes of one machine, not over TCP") {
    for (const Endpoint& endpoint : endpoints()) {
      CAPTURE(static_cast<int>(endpoint.kind));
      auto listener = must(Listener::listen(endpoint, 1));
      auto accepting = std::async(std::launch::async, [&] { return must(listener.accept(patience())); });
      const auto client = connected(listener.address());
      const auto server = accepting.get();
      CHECK(carries_handles(client.channel) == !endpoint.path.empty());
      CHECK(carries_handles(server.channel) == !endpoint.path.empty());
    }
  }
}

}  // namespace multiprocessing::platform::listener_tests
