// Listener and Client: arguments checked, addresses found, then the door (admission.hpp) on one side and the
// handshake, which waits here, on the other.
#include <multiprocessing/listener.hpp>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "connection/address.hpp"
#include "connection/admission.hpp"
#include "connection/connection_state.hpp"
#include "connection/handshake.hpp"
#include "connection/handshake_frames.hpp"
#include "contract/process.hpp"
#include "support/deadline.hpp"
#include "support/errors.hpp"
#include "support/wait.hpp"

namespace multiprocessing {
namespace detail {

class ListenerState {
 public:
  explicit ListenerState(std::shared_ptr<runtime::Admission> admission) : admission_(std::move(admission)) {}
  ListenerState(const ListenerState&) = delete;
  ListenerState& operator=(const ListenerState&) = delete;
  ~ListenerState() { close(); }

  /// This process's. Throws OSError (closed).
  [[nodiscard]] std::shared_ptr<runtime::Admission> admission() {
    const std::scoped_lock lock(mutex_);
    if (admission_ == nullptr)
      throw OSError(std::make_error_code(std::errc::bad_file_descriptor), "the listener is closed");
    if (admission_->process() != platform::current_pid()) begin_anew();
    return admission_;
  }

  [[nodiscard]] Connection accept(platform::Deadline deadline, const StopToken& stop) {
    const auto open = admission();
    const auto rules = open->rules();
    auto admitted = open->next(deadline, stop);
    auto address = runtime::address_of(admitted.peer);
    auto name = address.to_string();
    {
      const std::scoped_lock lock(mutex_);
      last_ = std::move(address);
    }
    return Connection(std::make_shared<ConnectionState>(std::move(admitted.channel), true, true,
                                                        peer_of(rules), admitted.seal, std::move(name)));
  }

  [[nodiscard]] std::optional<Address> last_accepted() const {
    const std::scoped_lock lock(mutex_);
    if (last_.empty()) return std::nullopt;
    return last_;
  }

  void close() noexcept {
    std::shared_ptr<runtime::Admission> last;
    {
      const std::scoped_lock lock(mutex_);
      last.swap(admission_);
    }
    if (last == nullptr) return;
    last->close();
    // What the parent's thread holds in the memory of a forked child is neither used nor destroyed.
    if (last->process() != platform::current_pid()) runtime::Admission::keep_for_ever(std::move(last));
  }

  [[nodiscard]] bool closed() const noexcept {
    const std::scoped_lock lock(mutex_);
    return admission_ == nullptr;
  }

 private:
  /// Without a handshake of ours the peer may be a Python program.
  static ConnectionState::Peer peer_of(const runtime::Admission::Rules& rules) {
    return rules.key.empty() || rules.protocol == Protocol::python ? ConnectionState::Peer::stranger
                                                                   : ConnectionState::Peer::ours;
  }

  /// Throws OSError; the listener is closed then.
  void begin_anew() {
    auto& parents = *admission_;
    runtime::Admission::keep_for_ever(std::move(admission_));
    admission_ = std::make_shared<runtime::Admission>(parents.take_listener(), parents.rules());
  }

  mutable std::mutex mutex_;  ///< of both; never held while waiting
  std::shared_ptr<runtime::Admission> admission_;
  Address last_;
};

}  // namespace detail

namespace {

using platform::Deadline;
using platform::Endpoint;

constexpr std::chrono::seconds time_to_prove{5};

std::vector<std::byte> checked_key(std::optional<std::vector<std::byte>> key) {
  if (key && key->empty())
    throw ValueError("authkey is empty: everybody has that key; without one leave it out");
  return key ? *std::move(key) : std::vector<std::byte>();
}

/// Python's own pipes carry messages without a length, which no stream of ours does.
void check_protocol(Protocol protocol, const Endpoint& endpoint) {
  if (protocol == Protocol::python && endpoint.kind == Endpoint::Kind::pipe)
    throw ValueError("Protocol::python does not go over named pipes; use a port of this machine");
}

void check_reach(const Endpoint& endpoint, const ListenerOptions& options) {
  if (platform::is_local(endpoint)) return;
  const auto text = runtime::address_of(endpoint).to_string();
  if (!options.allow_remote)
    throw ValueError("other machines reach " + text + ": say allow_remote, or listen on 127.0.0.1");
  if (!options.authkey) throw ValueError("other machines reach " + text + ": give it an authkey");
}

Endpoint endpoint_to_listen_on(const Address& address, Family family) {
  if (address.empty())
    return runtime::value_or_throw(platform::unused_endpoint(runtime::kind_of(family)), "Listener");
  return runtime::value_or_throw(platform::resolve_endpoint(runtime::endpoint_of(address, family)),
                                 address.to_string());
}

/// Until the listener says something: it may be busy. Throws what Client() throws.
void wait_for_first_word(const platform::Channel& channel, Deadline deadline, const StopToken& stop,
                         const std::string& address) {
  if (!runtime::wait_for_handle(channel.readable(), deadline, stop))
    throw TimeoutError("Client '" + address + "': the time is over, and the listener has said nothing");
}

/// Proves that both have the key, to a listener that has begun to speak. Throws what Client() throws.
std::optional<runtime::SealKeys> shake_hands(platform::ConnectedStream& stream, runtime::Handshake& handshake,
                                             Deadline deadline, const platform::Wakeup* wakeup,
                                             const std::string& address) {
  using Verdict = runtime::Handshake::Answer::Verdict;
  runtime::FrameIntake intake;
  static_cast<void>(handshake.begin());
  for (;;) {
    const auto message = intake.next(stream.channel, deadline, wakeup);
    if (!message && message.error().condition == platform::Condition::corrupt)
      throw AuthenticationError("Client '" + address +
                                "': the listener speaks another protocol, or has no key");
    if (!message) runtime::throw_os_error(message.error(), address);
    const auto answer = handshake.hear(*message);
    if (!answer.reply.empty())
      runtime::value_or_throw(runtime::send_frame(stream.channel, answer.reply, deadline, wakeup), address);
    if (answer.verdict == Verdict::refused)
      throw AuthenticationError("Client '" + address + "': " + answer.reason);
    if (answer.verdict == Verdict::accepted) return handshake.seal();
  }
}

detail::ListenerState& usable(const std::shared_ptr<detail::ListenerState>& state) {
  if (state == nullptr)
    throw OSError(std::make_error_code(std::errc::bad_file_descriptor), "the listener was moved away");
  return *state;
}

}  // namespace

Listener::Listener(Address address, ListenerOptions options) {
  runtime::Admission::Rules rules{options.protocol, checked_key(options.authkey),
                                  static_cast<std::size_t>(std::max(options.backlog, 1))};
  if (options.backlog < 0) throw ValueError("backlog " + std::to_string(options.backlog) + " is negative");
  const auto endpoint = endpoint_to_listen_on(address, options.family);
  check_protocol(options.protocol, endpoint);
  check_reach(endpoint, options);
  // Who may wait to be accepted the rules count, of those that have proved themselves.
  auto listener = runtime::value_or_throw(platform::Listener::listen(endpoint, platform::longest_queue),
                                          runtime::address_of(endpoint).to_string());
  state_ = std::make_shared<detail::ListenerState>(
      std::make_shared<runtime::Admission>(std::move(listener), std::move(rules)));
}

Listener::Listener(Listener&&) noexcept = default;
Listener& Listener::operator=(Listener&&) noexcept = default;
Listener::~Listener() = default;

Connection Listener::accept(StopToken stop) { return usable(state_).accept(Deadline::never(), stop); }

Connection Listener::accept(Duration timeout, StopToken stop) {
  return usable(state_).accept(runtime::deadline_after(timeout), stop);
}

Address Listener::address() const { return runtime::address_of(usable(state_).admission()->address()); }
std::optional<Address> Listener::last_accepted() const { return usable(state_).last_accepted(); }

void Listener::close() noexcept {
  if (state_ != nullptr) state_->close();
}

bool Listener::closed() const noexcept { return state_ == nullptr || state_->closed(); }

Listener::operator Waitable() const {
  const auto admission = usable(state_).admission();
  admission->open();
  return {NativeHandle((NativeHandle::native_type)admission->ready())};
}

Connection Client(Address address, ClientOptions options, StopToken stop) {
  if (address.empty()) throw ValueError("Client: no address");
  const auto key = checked_key(options.authkey);
  const auto wanted = runtime::endpoint_of(address, options.family);
  check_protocol(options.protocol, wanted);
  const auto text = address.to_string();
  const auto deadline = runtime::deadline_after(options.timeout);
  const runtime::StopWakeup wakeup(stop);
  const auto endpoint = runtime::value_or_throw(platform::resolve_endpoint(wanted), text);
  auto stream = runtime::value_or_throw(platform::connect_to(endpoint, deadline, wakeup.get()), text);
  std::optional<runtime::SealKeys> seal;
  if (!key.empty()) {
    const auto handshake = options.protocol == Protocol::native
                               ? runtime::make_native_handshake(runtime::Role::client, key, stream.peer,
                                                                platform::is_local(stream.peer))
                               : runtime::make_python_handshake(runtime::Role::client, key);
    wait_for_first_word(stream.channel, deadline, stop, text);
    seal = shake_hands(stream, *handshake, std::min(deadline, Deadline::after(time_to_prove)), wakeup.get(),
                       text);
  }
  using State = detail::ConnectionState;
  const auto peer =
      key.empty() || options.protocol == Protocol::python ? State::Peer::stranger : State::Peer::ours;
  return Connection(std::make_shared<State>(std::move(stream.channel), true, true, peer, seal, text));
}

}  // namespace multiprocessing
