// Taking peers in, in the reactor's thread. A watch that has ended is let go of by work that is posted, since
// a callback cannot let go of its own handle.
#include "connection/admission.hpp"

#include <algorithm>
#include <chrono>
#include <future>
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

}  // namespace

template <class Work>
auto Admission::guarded(Work work) {
  return [self = weak_from_this(), work = std::move(work)] {
    const auto alive = self.lock();
    return alive != nullptr && work(*alive);
  };
}

template <class Work>
void Admission::later(Work work) {
  reactor().post([self = weak_from_this(), work = std::move(work)] {
    if (const auto alive = self.lock()) work(*alive);
  });
}

Admission::Admission(platform::Listener listener, Rules rules)
    : rules_(std::move(rules)),
      address_(listener.address()),
      process_(platform::current_pid()),
      signal_(value_or_throw(platform::Wakeup::create(), "Listener")),
      listener_(std::move(listener)) {}

void Admission::open() {
  {
    const std::scoped_lock lock(mutex_);
    if (opened_ || closed_) return;
    static_cast<void>(reactor());
    opened_ = true;
  }
  later([](Admission& self) { self.watch_listener(); });
}

// ---- the listening handle

void Admission::watch_listener() {
  if (torn_down_ || listening_ || is_full()) return;
  auto watch =
      reactor().watch(listener_.acceptable(), guarded([](Admission& self) { return self.take_one(); }));
  if (!watch) return rest(watch.error());
  listener_watch_ = *watch;
  listening_ = true;
}

void Admission::rest(const platform::Error& error) {
  log(Level::warning, "listener " + address_of(address_).to_string() + ": " + error.to_string());
  if (listening_) reactor().cancel(listener_watch_);
  listening_ = false;
  const auto again = reactor().at(Deadline::after(time_to_rest), [self = weak_from_this()] {
    if (const auto alive = self.lock()) alive->watch_listener();
  });
  if (!again) push(std::make_exception_ptr(OSError(error.code(), "accept")));
}

bool Admission::take_one() {
  auto taken = listener_.accept();
  if (!taken && taken.error().condition == Condition::would_block) return true;
  if (!taken) {
    // The one that comes gets what is let go of: a flood of the silent does not keep out who has the key.
    if (taken.error().condition == Condition::out_of_handles && drop_oldest("its descriptor is needed"))
      return true;
    later([error = taken.error()](Admission& self) { self.rest(error); });
    return false;
  }
  if (rules_.key.empty())
    push(Admitted{std::move(taken->channel), std::nullopt, std::move(taken->peer)});
  else
    begin_handshake(*std::move(taken));
  if (!is_full()) return true;
  later([](Admission& self) {
    if (self.listening_) reactor().cancel(self.listener_watch_);
    self.listening_ = false;
    self.watch_listener();  // somebody may have accepted meanwhile
  });
  return false;
}

// ---- peers

void Admission::begin_handshake(platform::ConnectedStream stream) {
  if (static_cast<std::size_t>(std::ranges::count_if(peers_, is_unproved)) >= most_unproved)
    drop_oldest("too many came behind it");
  const auto number = ++arrivals_;
  Peer& peer = peers_[number];
  peer.handshake =
      rules_.protocol == Protocol::native
          ? make_native_handshake(Role::listener, rules_.key, stream.local, platform::is_local(stream.local))
          : make_python_handshake(Role::listener, rules_.key);
  peer.stream = std::move(stream);
  try {
    const auto first = peer.handshake->begin();
    if (send_frame(peer.stream.channel, first, Deadline::now()) && watch_peer(number, peer)) return;
  } catch (const OSError& error) {  // no random numbers
    log(Level::error, error.what());
  }
  drop(number, "it could not be spoken to");
}

platform::Status Admission::watch_peer(std::uint64_t number, Peer& peer) {
  const auto timer = reactor().at(Deadline::after(time_to_prove), [self = weak_from_this(), number] {
    if (const auto alive = self.lock()) alive->give_up(number);
  });
  if (!timer) return timer.error();
  peer.timer = *timer;
  const auto watch = reactor().watch(peer.stream.channel.readable(),
                                     guarded([number](Admission& self) { return self.hear(number); }));
  if (!watch) return watch.error();
  peer.watch = *watch;
  return {};
}

void Admission::give_up(std::uint64_t number) {
  const auto found = peers_.find(number);
  // Who was told that he is in is on his way to be admitted.
  if (found == peers_.end() || found->second.outcome == Outcome::admitted) return;
  drop(number, "it did not prove itself in time");
}

bool Admission::hear(std::uint64_t number) {
  const auto found = peers_.find(number);
  if (found == peers_.end()) return false;
  try {
    if (hear(found->second)) return true;
  } catch (const OSError& error) {
    log(Level::error, error.what());
  }
  later([number](Admission& self) { self.settle(number); });
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
      }
      return false;
    }
    auto answer = peer.handshake->hear(*message);
    const bool sent =
        answer.reply.empty() || send_frame(peer.stream.channel, answer.reply, Deadline::now()).has_value();
    if (answer.verdict == Verdict::refused) {
      peer.outcome = Outcome::refused;
      peer.reason = std::move(answer.reason);
      return false;
    }
    if (!sent) return false;
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
  if (peer.outcome == Outcome::gone) return drop(number, "it went away");
  let_go(peer);
  if (peer.outcome == Outcome::admitted)
    push(Admitted{std::move(peer.stream.channel), peer.handshake->seal(), std::move(peer.stream.peer)});
  else
    push(std::make_exception_ptr(AuthenticationError("accept: " + peer.reason)));
  peers_.erase(found);
}

void Admission::let_go(Peer& peer) noexcept {
  reactor().cancel(peer.watch);
  reactor().cancel(peer.timer);
}

void Admission::drop(std::uint64_t number, const char* why) {
  const auto found = peers_.find(number);
  if (found == peers_.end()) return;
  let_go(found->second);
  if (log_enabled(Level::info))
    log(Level::info, "listener " + address_of(address_).to_string() + ": a peer was dropped: " + why);
  peers_.erase(found);
}

bool Admission::is_unproved(const Peers::value_type& entry) noexcept {
  return !entry.second.handshake->peer_has_key();
}

bool Admission::drop_oldest(const char* why) {
  const auto oldest = std::ranges::find_if(peers_, is_unproved);
  if (oldest == peers_.end()) return false;
  drop(oldest->first, why);
  return true;
}

void Admission::tear_down() noexcept {
  torn_down_ = true;
  if (listening_) reactor().cancel(listener_watch_);
  listening_ = false;
  for (auto& [number, peer] : peers_) let_go(peer);
  peers_.clear();
  listener_.close();
}

// ---- any thread

void Admission::update_signal() {
  if (closed_ || !admitted_.empty() || !refusals_.empty())
    signal_.notify();
  else
    signal_.reset();
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

std::optional<Admission::Admitted> Admission::take_next() {
  const std::scoped_lock lock(mutex_);
  if (closed_) throw OSError(std::make_error_code(std::errc::bad_file_descriptor), "the listener is closed");
  if (!admitted_.empty()) {
    std::optional<Admitted> first(std::move(admitted_.front()));
    admitted_.pop_front();
    update_signal();
    return first;
  }
  if (refusals_.empty()) return std::nullopt;
  const auto refusal = std::move(refusals_.front());
  refusals_.pop_front();
  update_signal();
  std::rethrow_exception(refusal);
}

Admission::Admitted Admission::next(Deadline deadline, const StopToken& stop) {
  open();
  for (bool waited = false;; waited = true) {
    if (auto first = take_next()) {
      later([](Admission& self) { self.watch_listener(); });
      return *std::move(first);
    }
    if ((waited && deadline.expired()) || !wait_for_handle(ready(), deadline, stop))
      throw TimeoutError("accept: the time is over");
  }
}

void Admission::close() noexcept {
  // A child by fork has no part in what its parent's thread watches, nor in the signal that the two share;
  // the mutex may be held by a thread that is not there.
  if (process_ != platform::current_pid()) return listener_.close();
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(closed_, true)) return;
    admitted_.clear();
    refusals_.clear();
    update_signal();
    if (!opened_) return listener_.close();
  }
  if (in_reactor_thread()) return tear_down();
  std::promise<void> done;
  reactor().post([&] {
    tear_down();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace multiprocessing::runtime
