// ctest: args=--count=100 timeout=300
// Proofs that were made for another handshake: played again to the listener that they were made for, and
// relayed to it by a listener in the middle. Exit status 0 if none is accepted and the listener serves on.
// --count=N of both together.
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdio>
#include <future>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "contract/listener.hpp"
#include "figures.hpp"
#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
namespace platform = multiprocessing::platform;

namespace {

using Bytes = std::vector<std::byte>;

const Bytes key(32, std::byte{7});
constexpr std::size_t challenge = 4 + 41, proof = 4 + 73,
                      refusal = 4 + 1;  // bytes with their length in front
constexpr auto never = platform::Deadline::never();

template <class T>
T must(platform::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

Bytes receive(platform::Channel& from, std::size_t size) {
  Bytes message(size);
  must(from.read_all(message, never));
  return message;
}

// Not on ports, of which a system has too few for so many connections one after the other.
platform::Endpoint somewhere() { return must(platform::unused_endpoint(platform::usual_endpoint_kind())); }

bool is_refusal(const Bytes& answer) { return answer[3] == std::byte{1} && answer[4] == std::byte{0}; }

/// Between a client and the listener; what the client said is kept in `said`. True if the client was refused.
bool relay(platform::Listener& middle, const platform::Endpoint& real, Bytes& said) {
  auto client = std::async(std::launch::async, [&] {
    try {
      static_cast<void>(mp::Client(middle.address().path, {.authkey = key}));
      return false;
    } catch (const mp::AuthenticationError&) {
      return true;
    }
  });
  auto victim = std::move(must(middle.accept(never)).channel);
  auto target = std::move(must(platform::connect_to(real, never)).channel);
  must(victim.write_all(receive(target, challenge), never));
  said = receive(victim, proof);
  must(target.write_all(said, never));
  const auto answer = receive(target, refusal);
  must(victim.write_all(answer, never));
  return client.get() && is_refusal(answer);
}

bool replay(const platform::Endpoint& real, const Bytes& said) {
  auto target = std::move(must(platform::connect_to(real, never)).channel);
  static_cast<void>(receive(target, challenge));
  must(target.write_all(said, never));
  return is_refusal(receive(target, refusal));
}

bool run(int count) {
  const auto real = somewhere();
  mp::Listener listener(real.path, {.backlog = 8, .authkey = key});
  static_cast<void>(mp::connection::wait({listener}, std::chrono::seconds(0)));  // it begins to hear peers
  auto middle = must(platform::Listener::listen(somewhere(), 8));
  int accepted = 0;
  Bytes said;
  for (int i = 0; i < count; ++i)
    if (!(i % 2 == 0 ? relay(middle, real, said) : replay(real, said))) ++accepted;
  auto client = mp::Client(listener.address(), {.authkey = key});
  for (;;) try {
      listener.accept().send(1);
      break;
    } catch (const mp::AuthenticationError&) {
    }
  const bool served = client.recv<int>() == 1;
  std::printf("%d relayed and replayed handshakes: %d accepted\n", count, accepted);
  return accepted == 0 && served;
}

}  // namespace

int main(int argc, char** argv) {
  mp::freeze_support(argc, argv);
  return mp::test_support::verdict(run(figures::count_argument(argc, argv)) ? 0 : 1);
}
