// Taking peers in, in the reactor's thread, whose callbacks throw nothing: what they have no memory for is
// given up where it is noticed.
#include "connection/admission.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>
#include <string>
#include <utility>

#include <multiprocessing/errors.hpp>

#include "connection/address.hpp"
#include "contract/process.hpp"
#include "support/errors.hpp"
#include "support/log.hpp"
#include "support/reactor.hpp"
#include "support/wait.hpp"

namespace multiprocessing::runtime {
namespace {

using platform::Condition;
using platform::Deadline;

constexpr std::size_t most_unproved = 64;
constexpr std::size_t most_refusals = 16;
constexpr std::chrono::seconds time_to_prove{5};
// The system is out of descriptors or memory: it would say so again at once.
constexpr std::chrono::milliseconds time_to_rest{100};

/// Whether the system failed here. A peer that is gone, or does not read what it is told, is its own affair.
bool is_ours(const platform::Error& failure) noexcept {
  return failure.condition != Condition::broken && failure.condition != Condition::timed_out &&
         failure.condition != Condition::cancelled;
}

/// For the end of an error or a record; empty where the peer has no name, as over unix sockets.
std::string in_brackets(const platform::Endpoint& peer) {
  if (peer.host.empty() && peer.path.empty()) return {};
  return " (" + address_of(peer).to_string() + ")";
}

}  // namespace

template <class Work>
bool Admission::in_turn(Work work) noexcept {
  const std::scoped_lock lock(turn_);
  return !torn_down_ && work(*this);
}

template <class Work>
auto Admission::guarded(Work work) {
  return [self = weak_from_this(), work = std::move(work)] {
    const auto alive = self.lock();
    return alive != nullptr && alive->in_turn(work);
  };
}

void Admission::watch_listener_later() {
  reactor().post([call = guarded([](Admission& self) {
                    self.watch_listener();
                    return true;
                  })] { static_cast<void>(call()); });
}

Admission::Admission(platform::Listener listener, Rules rules)
    : rules_(std::move(rules)),
      address_(listener.address()),
      process_(platform::current_pid()),
      signal_(value_or_throw(platform::Wakeup::create(), "Listener")),
      listener_(std::move(listener)),
      no_memory_(std::make_exception_ptr(
          OSError(std::make_error_code(std::errc::not_enough_memory), "accept: no memory for a peer"))) {}

void Admission::keep_for_ever(std::shared_ptr<Admission> parents) noexcept {
  static std::atomic<Admission*> last{nullptr};
  auto* const kept = parents.get();
  kept->kept_ = std::move(parents);
  kept->kept_before_ = last.exchange(kept);
}

void Admission::open() {
  {
    const std::scoped_lock lock(mutex_);
    if (!deaf_ || closed_) return;
    static_cast<void>(reactor());
    opened_ = true;
    deaf_ = false;
  }
  try {
    watch_listener_later();
  } catch (...) {
    const std::scoped_lock lock(mutex_);
    deaf_ = true;
    throw;
  }
}

void Admission::report(Level level, const char* what, const char* why,
                       const platform::Endpoint& peer) const noexcept try {
  if (log_enabled(level))
    log(level, "listener " + address_of(address_).to_string() + ": " + what + why + in_brackets(peer));
} catch (const std::bad_alloc&) {
}

// ---- the listening handle

void Admission::watch_listener() noexcept try {
  if (listening_ || is_full()) return;
  auto watch =
      reactor().watch(listener_.acceptable(), guarded([](Admission& self) { return self.take_one(); }));
  if (!watch) return rest(watch.error());
  listener_watch_ = *watch;
  listening_ = true;
} catch (const std::bad_alloc&) {
  go_deaf();
}

void Admission::rest(const platform::Error& error) noexcept try {
  reactor().cancel(listener_watch_);
  listening_ = false;
  report(Level::warning, "", error.to_string().c_str());
  const auto again = reactor().at(Deadline::after(time_to_rest), [call = guarded([](Admission& self) {
                                                                    self.watch_listener();
                                                                    return true;
                                                                  })] { static_cast<void>(call()); });
  if (!again) go_deaf();
} catch (const std::bad_alloc&) {
  go_deaf();
}

// In a callback: its own watch is cancelled, or ended by the result.
bool Admission::take_one() noexcept try {
  auto taken = listener_.accept();
  if (!taken && taken.error().condition == Condition::would_block) return true;
  if (!taken) {
    // The one that comes gets what is let go of: a flood of the silent does not keep out who has the key.
    if (taken.error().condition == Condition::out_of_handles && drop_oldest("its descriptor is needed"))
      return true;
    rest(taken.error());
    return false;
  }
  take_in(*std::move(taken));
  listening_ = !is_full();  // whoever accepts one of them has it watched again
  return listening_;
} catch (const std::bad_alloc&) {
  listening_ = false;
  go_deaf();
  return false;
}

// ---- peers

void Admission::take_in(platform::ConnectedStream stream) noexcept {
  const auto number = ++arrivals_;
  constexpr const char* what = "it could not be spoken to";
  try {
    if (rules_.key.empty())
      return push(Admitted{std::move(stream.channel), std::nullopt, std::move(stream.peer)});
    if (static_cast<std::size_t>(std::ranges::count_if(peers_, is_unproved)) >= most_unproved)
      drop_oldest("too many came behind it");
    const auto begun = begin_handshake(number, std::move(stream));
    if (begun) return;
    if (is_ours(begun.error())) return drop(number, what, begun.error());
  } catch (const OSError& error) {  // no random numbers
    report(Level::error, "", error.what());
  } catch (const std::bad_alloc&) {
    report(Level::error, "", "there is no memory for a peer");
  }
  drop(number, what);
}

platform::Status Admission::begin_handshake(std::uint64_t number, platform::ConnectedStream stream) {
  auto handshake =
      rules_.protocol == Protocol::native
          ? make_native_handshake(Role::listener, rules_.key, stream.local, platform::is_local(stream.local))
          : make_python_handshake(Role::listener, rules_.key);
  if (torn_down_) return platform::Error{Condition::cancelled};  // by whoever was told of another peer
  Peer& peer = peers_[number];
  peer.handshake = std::move(handshake);
  peer.stream = std::move(stream);
  const auto first = peer.handshake->begin();
  if (auto sent = send_frame(peer.stream.channel, first, Deadline::now()); !sent) return sent;
  return watch_peer(number, peer);
}

platform::Status Admission::watch_peer(std::uint64_t number, Peer& peer) {
  const auto timer = reactor().at(Deadline::after(time_to_prove), [call = guarded([number](Admission& self) {
                                                                     self.give_up(number);
                                                                     return true;
                                                                   })] { static_cast<void>(call()); });
  if (!timer) return timer.error();
  peer.timer = *timer;
  const auto watch = reactor().watch(peer.stream.channel.readable(),
                                     guarded([number](Admission& self) { return self.hear(number); }));
  if (!watch) return watch.error();
  peer.watch = *watch;
  return {};
}

void Admission::give_up(std::uint64_t number) noexcept {
  const auto found = peers_.find(number);
  // Who was told that he is in is on his way to be admitted.
  if (found == peers_.end() || found->second.outcome == Outcome::admitted) return;
  drop(number, "it did not prove itself in time");
}

bool Admission::hear(std::uint64_t number) noexcept {
  const auto found = peers_.find(number);
  if (found == peers_.end()) return false;
  try {
    if (hear(found->second)) return true;
    settle(number);
  } catch (const OSError& error) {
    report(Level::error, "", error.what(), found->second.stream.peer);
    drop(number, "it could not be answered");
  } catch (const std::bad_alloc&) {
    drop(number, "there is no memory for it");
  }
  return false;
}

bool Admission::hear(Peer& peer) {
  using Verdict = Handshake::Answer::Verdict;
  for (;;) {
    const auto message = peer.intake.next(peer.stream.channel, Deadline::now());
    if (!message) {
      if (message.error().condition == Condition::timed_out) return true;
      if (message.error().condition == Condition::corrupt) {
        peer.outcome = Outcome::refused;
        peer.reason = "a peer sent what is no handshake";
      } else {
        peer.failure = message.error();
      }
      return false;
    }
    auto answer = peer.handshake->hear(*message);
    platform::Status sent;
    if (!answer.reply.empty()) sent = send_frame(peer.stream.channel, answer.reply, Deadline::now());
    if (answer.verdict == Verdict::refused) {
      peer.outcome = Outcome::refused;
      peer.reason = std::move(answer.reason);
      return false;
    }
    if (!sent) {
      peer.failure = sent.error();
      return false;
    }
    if (answer.verdict == Verdict::accepted) {
      peer.outcome = Outcome::admitted;
      return false;
    }
  }
}

void Admission::settle(std::uint64_t number) {
  const auto found = peers_.find(number);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  if (peer.outcome == Outcome::gone && peer.failure && is_ours(*peer.failure))
    return drop(number, "it could not be read, or answered", *peer.failure);
  if (peer.outcome == Outcome::gone) return drop(number, "it went away");
  let_go(peer);
  if (peer.outcome == Outcome::admitted)
    push(Admitted{std::move(peer.stream.channel), peer.handshake->seal(), std::move(peer.stream.peer)});
  else
    push(std::make_exception_ptr(
        AuthenticationError("accept: " + peer.reason + in_brackets(peer.stream.peer))));
  peers_.erase(found);
}

void Admission::let_go(Peer& peer) noexcept {
  reactor().cancel(peer.watch);
  reactor().cancel(peer.timer);
}

void Admission::drop(std::uint64_t number, const char* why, Level level) noexcept {
  const auto found = peers_.find(number);
  if (found == peers_.end()) return;
  let_go(found->second);
  const auto name = std::move(found->second.stream.peer);
  peers_.erase(found);
  report(level, "a peer was dropped: ", why, name);
}

void Admission::drop(std::uint64_t number, const char* what, const platform::Error& failure) noexcept try {
  drop(number, (what + (": " + failure.to_string())).c_str(), Level::warning);
} catch (const std::bad_alloc&) {
  drop(number, what, Level::warning);
}

bool Admission::is_unproved(const Peers::value_type& entry) noexcept {
  return !entry.second.handshake->peer_has_key();
}

bool Admission::drop_oldest(const char* why) noexcept {
  const auto oldest = std::ranges::find_if(peers_, is_unproved);
  if (oldest == peers_.end()) return false;
  drop(oldest->first, why);
  return true;
}

// A callback may be under way in the reactor's thread: it has its turn first, or finds nothing to do any
// more.
void Admission::tear_down() noexcept {
  Peers left;
  {
    // There, nobody else can have a turn, and whoever called from there may have his.
    std::unique_lock turn(turn_, std::defer_lock);
    if (!in_reactor_thread()) turn.lock();
    torn_down_ = true;
    left.swap(peers_);
  }
  reactor().cancel(listener_watch_);
  for (auto& [number, peer] : left) let_go(peer);
}

// ---- any thread

void Admission::update_signal() noexcept {
  if (closed_ || starved_ || !admitted_.empty() || !refusals_.empty())
    signal_.notify();
  else
    signal_.reset();
}

void Admission::go_deaf() noexcept {
  const std::scoped_lock lock(mutex_);
  deaf_ = true;
  starved_ = true;
  update_signal();
}

void Admission::listen_again() noexcept {
  try {
    watch_listener_later();
  } catch (const std::bad_alloc&) {
    go_deaf();
  }
}

void Admission::push(Admitted admitted) {
  const std::scoped_lock lock(mutex_);
  if (closed_) return;
  admitted_.push_back(std::move(admitted));
  update_signal();
}

void Admission::push(std::exception_ptr refusal) {
  const std::scoped_lock lock(mutex_);
  if (closed_ || refusals_.size() >= most_refusals) return;
  refusals_.push_back(std::move(refusal));
  update_signal();
}

bool Admission::is_full() {
  const std::scoped_lock lock(mutex_);
  return admitted_.size() >= rules_.capacity;
}

Admission::Next Admission::take_next() {
  const std::scoped_lock lock(mutex_);
  if (closed_) throw OSError(std::make_error_code(std::errc::bad_file_descriptor), "the listener is closed");
  Next next;
  if (!admitted_.empty()) {
    next.admitted.emplace(std::move(admitted_.front()));
    admitted_.pop_front();
  } else if (!refusals_.empty()) {
    next.refusal = std::move(refusals_.front());
    refusals_.pop_front();
  } else if (std::exchange(starved_, false)) {
    next.refusal = no_memory_;
  }
  update_signal();
  return next;
}

Admission::Admitted Admission::next(Deadline deadline, const StopToken& stop) {
  for (bool waited = false;; waited = true) {
    open();
    auto first = take_next();
    if (first.admitted || first.refusal) listen_again();
    if (first.refusal) std::rethrow_exception(first.refusal);
    if (first.admitted) return *std::move(first.admitted);
    if ((waited && deadline.expired()) || !wait_for_handle(ready(), deadline, stop))
      throw TimeoutError("accept: the time is over");
  }
}

void Admission::close() noexcept {
  // A child by fork has no part in what its parent's thread watches, nor in the signal that the two share;
  // the mutex may be held by a thread that is not there.
  if (process_ != platform::current_pid()) return listener_.close();
  bool opened = false;
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(closed_, true)) return;
    admitted_.clear();
    refusals_.clear();
    update_signal();
    opened = opened_;
  }
  if (opened) tear_down();
  listener_.close();
}

}  // namespace multiprocessing::runtime
