// Our own handshake.
#include <algorithm>
#include <string_view>
#include <utility>

#include "bytes.hpp"
#include "connection/handshake.hpp"
#include "contract/crypto.hpp"
#include "support/errors.hpp"
#include "wire/digest.hpp"

namespace multiprocessing::runtime {
namespace {

using Kind = platform::Endpoint::Kind;

constexpr std::string_view magic = "#MPCPP1#";  // with the version
constexpr std::size_t nonce_size = 32;
constexpr std::size_t mac_size = std::tuple_size_v<Sha256::Value>;
constexpr std::byte wants_seal{1};
constexpr std::byte accepted{1};
constexpr std::byte refused{0};

/// The same text on both sides: numbers without a zone, which each machine names differently; Windows does
/// not tell upper from lower case in the names of pipes.
std::string canonical(const platform::Endpoint& address) {
  if (address.kind == Kind::unix_socket) return "unix:" + address.path;
  if (address.kind == Kind::pipe) {
    std::string text = "pipe:" + address.path;
    std::ranges::transform(text, text.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return text;
  }
  return "inet:" + address.host.substr(0, address.host.find('%')) + ":" + std::to_string(address.port);
}

class NativeHandshake final : public Handshake {
 public:
  NativeHandshake(Role role, Bytes key, const platform::Endpoint& address, bool local)
      : role_(role), key_(std::move(key)), address_(canonical(address)) {
    (role == Role::listener ? listener_wants_ : client_wants_) = local ? std::byte{0} : wants_seal;
  }

  Bytes begin() override {
    if (role_ == Role::client) return {};
    value_or_throw(platform::random_bytes(listener_nonce_));
    return introduce(listener_wants_, listener_nonce_);
  }

  Answer hear(View message) override {
    if (role_ == Role::listener) return hear_client(message);
    return client_has_spoken_ ? hear_verdict(message) : hear_listener(message);
  }

  bool peer_has_key() const noexcept override { return peer_has_key_; }

  std::optional<SealKeys> seal() const override {
    if ((listener_wants_ | client_wants_) == std::byte{0}) return std::nullopt;
    const auto to_client = proof("seal to client");
    const auto to_listener = proof("seal to listener");
    return role_ == Role::listener ? SealKeys{to_client, to_listener} : SealKeys{to_listener, to_client};
  }

 private:
  using Nonce = std::array<std::byte, nonce_size>;

  static Bytes introduce(std::byte wants, const Nonce& nonce) {
    Bytes message;
    append(message, bytes_of(magic));
    message.push_back(wants);
    append(message, nonce);
    return message;
  }
  static bool read_introduction(View message, std::byte& wants, Nonce& nonce) {
    if (message.size() < magic.size() + 1 + nonce_size ||
        !std::ranges::equal(message.first(magic.size()), bytes_of(magic)))
      return false;
    wants = message[magic.size()] & wants_seal;
    std::ranges::copy(message.subspan(magic.size() + 1, nonce_size), nonce.begin());
    return true;
  }

  /// The HMAC of the transcript in that role. Each part has a fixed length, or ends it.
  [[nodiscard]] Sha256::Value proof(std::string_view role) const {
    Hmac<Sha256> mac(key_);
    mac.update(bytes_of(role));
    mac.update(View(&refused, 1));  // a zero ends the role
    mac.update(bytes_of(magic));
    mac.update(View(&listener_wants_, 1));
    mac.update(View(&client_wants_, 1));
    mac.update(listener_nonce_);
    mac.update(client_nonce_);
    mac.update(bytes_of(address_));
    return mac.finish();
  }

  Answer hear_client(View message) {
    constexpr std::size_t size = magic.size() + 1 + nonce_size + mac_size;
    if (message.size() != size || !read_introduction(message, client_wants_, client_nonce_))
      return {Answer::Verdict::refused, {}, "the client does not speak our protocol"};
    if (!equal_in_constant_time(message.last(mac_size), proof("client")))
      return {
          Answer::Verdict::refused, {refused}, "the client has another key, or was sent to another address"};
    peer_has_key_ = true;
    Bytes reply{accepted};
    append(reply, proof("listener"));
    return {Answer::Verdict::accepted, std::move(reply), {}};
  }

  Answer hear_listener(View message) {
    if (message.size() != magic.size() + 1 + nonce_size ||
        !read_introduction(message, listener_wants_, listener_nonce_))
      return {Answer::Verdict::refused, {}, "the listener does not speak our protocol"};
    value_or_throw(platform::random_bytes(client_nonce_));
    client_has_spoken_ = true;
    auto reply = introduce(client_wants_, client_nonce_);
    append(reply, proof("client"));
    return {Answer::Verdict::undecided, std::move(reply), {}};
  }

  Answer hear_verdict(View message) {
    if (message.size() == 1 && message[0] == refused)
      return {Answer::Verdict::refused, {}, "the listener has another key, or another address"};
    if (message.size() != 1 + mac_size || message[0] != accepted ||
        !equal_in_constant_time(message.last(mac_size), proof("listener")))
      return {Answer::Verdict::refused, {}, "the listener could not prove that it has the key"};
    peer_has_key_ = true;
    return {Answer::Verdict::accepted, {}, {}};
  }

  Role role_;
  Bytes key_;
  std::string address_;
  std::byte listener_wants_{0};
  std::byte client_wants_{0};
  Nonce listener_nonce_{};
  Nonce client_nonce_{};
  bool client_has_spoken_ = false;
  bool peer_has_key_ = false;
};

}  // namespace

std::unique_ptr<Handshake> make_native_handshake(Role role, std::vector<std::byte> key,
                                                 const platform::Endpoint& address, bool local) {
  return std::make_unique<NativeHandshake>(role, std::move(key), address, local);
}

}  // namespace multiprocessing::runtime
