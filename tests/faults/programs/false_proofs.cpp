// ctest: args=--count=100 timeout=300
// Proofs that were made for another handshake: played again to the listener that they were made for, and
// relayed to it by listeners in the middle, one of which has a socket of the same name in another folder.
// Exit status 0 if none is accepted and the listener serves on. --count=N of all together.
#include <multiprocessing/multiprocessing.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "contract/crypto.hpp"
#include "contract/listener.hpp"
#include "test_support/figures.hpp"
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

/// Folders with a socket of one name in each, where there are such sockets.
class SameName {
 public:
  SameName() : top_(std::filesystem::temp_directory_path() / ("false_proofs-" + must(random_name()))) {
    for (const auto* folder : {"real", "middle"}) std::filesystem::create_directories(top_ / folder);
  }
  SameName(const SameName&) = delete;
  SameName& operator=(const SameName&) = delete;
  ~SameName() {
    std::error_code ignored;
    std::filesystem::remove_all(top_, ignored);
  }
  [[nodiscard]] std::string path_in(const char* folder) const { return (top_ / folder / name).string(); }
  /// Listens under the mere name, as that folder's.
  template <class Make>
  auto listen_in(const char* folder, Make make) const {
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(top_ / folder);
    auto listener = make(std::string(name));
    std::filesystem::current_path(before);
    return listener;
  }

 private:
  static constexpr const char* name = "socket";
  static platform::Result<std::string> random_name() {
    std::array<std::byte, 8> bytes;
    if (auto status = platform::random_bytes(bytes); !status) return status.error();
    std::string text;
    for (const std::byte byte : bytes) text += "0123456789abcdef"[std::to_integer<unsigned>(byte) % 16];
    return text;
  }
  std::filesystem::path top_;
};

/// Between a client and the listener; what the client said is kept in `said`. True if the client was refused.
bool relay(platform::Listener& middle, const std::string& asked, const platform::Endpoint& real,
           Bytes& said) {
  auto client = std::async(std::launch::async, [&] {
    try {
      static_cast<void>(mp::Client(asked, {.authkey = key}));
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
  const bool by_path = platform::usual_endpoint_kind() == platform::Endpoint::Kind::unix_socket;
  const SameName folders;
  auto real = somewhere();
  if (by_path) real.path = folders.path_in("real");
  const auto make = [](const std::string& path) {
    return mp::Listener(path, {.backlog = 8, .authkey = key});
  };
  mp::Listener listener = by_path ? folders.listen_in("real", make) : make(real.path);
  static_cast<void>(mp::connection::wait({listener}, std::chrono::seconds(0)));  // it begins to hear peers
  auto middle = must(platform::Listener::listen(somewhere(), 8));
  auto namesake = by_path ? folders.listen_in("middle",
                                              [](const std::string& path) {
                                                return must(platform::Listener::listen(
                                                    {platform::Endpoint::Kind::unix_socket, {}, 0, path}, 8));
                                              })
                          : must(platform::Listener::listen(somewhere(), 8));
  const auto asked = by_path ? folders.path_in("middle") : namesake.address().path;
  int accepted = 0;
  Bytes said;
  for (int i = 0; i < count; ++i) {
    const bool refused = i % 3 == 0   ? relay(middle, middle.address().path, real, said)
                         : i % 3 == 1 ? relay(namesake, asked, real, said)
                                      : replay(real, said);
    if (!refused) ++accepted;
  }
  auto client = mp::Client(real.path, {.authkey = key});
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
