// The handshake of Python's `multiprocessing.connection`: first the client answers the listener's challenge,
// then the other way round. Up to Python 3.11 an answer is the HMAC-MD5 of the challenge; from 3.12 on a
// challenge begins with "{digest}", and so does the answer. A peer of the older generation takes our whole
// challenge, prefix included, and answers with MD5. The challenge may be relayed: that is its design.
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

using Verdict = Handshake::Answer::Verdict;

constexpr std::string_view challenge = "#CHALLENGE#";
constexpr std::string_view welcome = "#WELCOME#";
constexpr std::string_view failure = "#FAILURE#";
constexpr std::string_view sha256_prefix = "{sha256}";
constexpr std::string_view md5_prefix = "{md5}";
constexpr std::size_t random_size = 40;
constexpr std::size_t old_challenge = 20;  // the only length that has no prefix
constexpr std::size_t md5_size = std::tuple_size_v<Md5::Value>;

bool begins_with(View message, std::string_view text) {
  return message.size() >= text.size() && std::ranges::equal(message.first(text.size()), bytes_of(text));
}

bool is(View message, std::string_view text) {
  return message.size() == text.size() && begins_with(message, text);
}

template <class Digest>
Bytes answer_with(std::string_view prefix, View key, View message) {
  Bytes answer;
  append(answer, bytes_of(prefix));
  append(answer, hmac<Digest>(key, message));
  return answer;
}

/// Empty if the challenge asks for a digest that we do not have.
Bytes answer_to(View key, View message) {
  if (message.size() == old_challenge) return answer_with<Md5>("", key, message);
  if (begins_with(message, sha256_prefix)) return answer_with<Sha256>(sha256_prefix, key, message);
  if (begins_with(message, md5_prefix)) return answer_with<Md5>(md5_prefix, key, message);
  return {};
}

class PythonHandshake final : public Handshake {
 public:
  PythonHandshake(Role role, Bytes key) : role_(role), key_(std::move(key)) {}

  Bytes begin() override {
    if (role_ == Role::client) {
      step_ = Step::challenged;
      return {};
    }
    return deliver_challenge();
  }

  bool peer_has_key() const noexcept override { return peer_has_key_; }

  Answer hear(View message) override {
    switch (step_) {
      case Step::challenged:
        return hear_challenge(message);
      case Step::answered:
        return hear_verdict(message);
      case Step::delivered:
        break;
    }
    return hear_answer(message);
  }

 private:
  /// What was said last.
  enum class Step : unsigned char { delivered, challenged, answered };

  Bytes deliver_challenge() {
    step_ = Step::delivered;
    std::array<std::byte, random_size> random;
    value_or_throw(platform::random_bytes(random));
    ours_.clear();
    append(ours_, bytes_of(sha256_prefix));
    append(ours_, random);
    Bytes message;
    append(message, bytes_of(challenge));
    append(message, ours_);
    return message;
  }

  Answer hear_answer(View message) {
    const bool right =
        equal_in_constant_time(message, answer_with<Sha256>(sha256_prefix, key_, ours_)) ||
        equal_in_constant_time(message, answer_with<Md5>(md5_prefix, key_, ours_)) ||
        (message.size() == md5_size && equal_in_constant_time(message, answer_with<Md5>("", key_, ours_)));
    Bytes reply;
    append(reply, bytes_of(right ? welcome : failure));
    if (!right) return {Verdict::refused, std::move(reply), "the answer to the challenge was wrong"};
    peer_has_key_ = true;
    if (role_ == Role::client) return {Verdict::accepted, std::move(reply), {}};
    step_ = Step::challenged;
    return {Verdict::undecided, std::move(reply), {}};
  }

  Answer hear_challenge(View message) {
    if (!begins_with(message, challenge))
      return {Verdict::refused, {}, "no challenge of Python's protocol came"};
    auto reply = answer_to(key_, message.subspan(challenge.size()));
    if (reply.empty()) return {Verdict::refused, {}, "the challenge asks for a digest that is not known"};
    step_ = Step::answered;
    return {Verdict::undecided, std::move(reply), {}};
  }

  Answer hear_verdict(View message) {
    if (!is(message, welcome)) return {Verdict::refused, {}, "the answer to the challenge was rejected"};
    if (role_ == Role::listener) return {Verdict::accepted, {}, {}};
    return {Verdict::undecided, deliver_challenge(), {}};
  }

  Role role_;
  Bytes key_;
  Step step_ = Step::challenged;
  Bytes ours_;  ///< the challenge that the peer has to answer
  bool peer_has_key_ = false;
};

}  // namespace

std::unique_ptr<Handshake> make_python_handshake(Role role, std::vector<std::byte> key) {
  return std::make_unique<PythonHandshake>(role, std::move(key));
}

}  // namespace multiprocessing::runtime
