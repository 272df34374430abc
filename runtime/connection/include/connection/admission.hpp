// The door of a listener: takes what connects, lets each peer prove itself, and keeps those that did until
// somebody accepts them. All of it happens in the reactor's thread, which never waits for a peer: one that is
// silent has five seconds, and goes before its time when 64 others stand behind it, or when the system has no
// descriptor left for one of them. Without memory the one goes that it is wanted for, or accept() says so.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <multiprocessing/listener.hpp>

#include "connection/handshake.hpp"
#include "connection/handshake_frames.hpp"
#include "contract/event_loop.hpp"
#include "contract/listener.hpp"
#include "support/log.hpp"

namespace multiprocessing::runtime {

/// Of one listener in one process.
class Admission : public std::enable_shared_from_this<Admission> {
 public:
  struct Rules {
    Protocol protocol = Protocol::native;
    std::vector<std::byte> key;  ///< none if empty
    std::size_t capacity = 1;    ///< admitted peers that nobody has accepted yet
  };
  struct Admitted {
    platform::Channel channel;
    std::optional<SealKeys> seal;
    platform::Endpoint peer;
  };

  /// Throws OSError.
  Admission(platform::Listener listener, Rules rules);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// Begins to take what connects. Any number of times. Throws OSError (no event loop).
  void open();
  /// The next one admitted. Throws what accept() throws.
  [[nodiscard]] Admitted next(platform::Deadline deadline, const StopToken& stop);
  /// Ready when next() would not wait.
  [[nodiscard]] platform::RawHandle ready() const noexcept { return signal_.waitable(); }
  /// When it returns the address is free, who waits in next() is told, and peers are let go of. Needs no
  /// memory.
  void close() noexcept;
  /// Of a process that was forked off, and so neither to be used nor destroyed. Needs no memory.
  static void keep_for_ever(std::shared_ptr<Admission> parents) noexcept;

  [[nodiscard]] const platform::Endpoint& address() const noexcept { return address_; }
  /// Of a process that was forked off: what its parent's thread did is not there. Afterwards the object must
  /// not be used, nor destroyed.
  [[nodiscard]] platform::Listener take_listener() noexcept { return std::move(listener_); }
  [[nodiscard]] int process() const noexcept { return process_; }
  [[nodiscard]] const Rules& rules() const noexcept { return rules_; }

 private:
  using LoopId = platform::EventLoop::Id;
  enum class Outcome : unsigned char { admitted, refused, gone };
  /// On the way to be admitted.
  struct Peer {
    platform::ConnectedStream stream;
    std::unique_ptr<Handshake> handshake;
    FrameIntake intake;
    LoopId watch = 0;
    LoopId timer = 0;
    Outcome outcome = Outcome::gone;
    std::string reason;
    std::optional<platform::Error> failure;  ///< of a read or write; why it is gone
  };
  using Peers = std::map<std::uint64_t, Peer>;  ///< by their order of arrival

  // In the reactor's thread, in turn.
  void watch_listener() noexcept;
  void rest(const platform::Error& error) noexcept;
  [[nodiscard]] bool take_one() noexcept;
  void take_in(platform::ConnectedStream stream) noexcept;
  [[nodiscard]] platform::Status begin_handshake(std::uint64_t number, platform::ConnectedStream stream);
  [[nodiscard]] platform::Status watch_peer(std::uint64_t number, Peer& peer);
  void give_up(std::uint64_t number) noexcept;
  [[nodiscard]] bool hear(std::uint64_t number) noexcept;
  /// False when it is decided.
  [[nodiscard]] bool hear(Peer& peer);
  void settle(std::uint64_t number);
  void drop(std::uint64_t number, const char* why, Level level = Level::info) noexcept;
  /// Drops a peer because of what this system failed at.
  void drop(std::uint64_t number, const char* what, const platform::Error& failure) noexcept;
  /// Drops who has waited longest without the key. False if there is nobody: who has it is not dropped.
  bool drop_oldest(const char* why) noexcept;
  [[nodiscard]] static bool is_unproved(const Peers::value_type& entry) noexcept;
  static void let_go(Peer& peer) noexcept;
  void tear_down() noexcept;
  // Anywhere.
  void push(Admitted admitted);
  void push(std::exception_ptr refusal);
  /// Nobody will look who connects before somebody asks again, who is told why.
  void go_deaf() noexcept;
  void listen_again() noexcept;
  [[nodiscard]] bool is_full();
  struct Next {
    std::optional<Admitted> admitted;
    std::exception_ptr refusal;
  };
  [[nodiscard]] Next take_next();
  void update_signal() noexcept;
  void report(Level level, const char* what, const char* why,
              const platform::Endpoint& peer = {}) const noexcept;
  /// Runs `work` in the reactor's thread if this is still there.
  void watch_listener_later();
  template <class Work>
  [[nodiscard]] bool in_turn(Work work) noexcept;
  template <class Work>
  [[nodiscard]] auto guarded(Work work);

  const Rules rules_;
  const platform::Endpoint address_;
  const int process_;
  platform::Wakeup signal_;

  Admission* kept_before_ = nullptr;  ///< keep_for_ever()
  std::shared_ptr<Admission> kept_;

  /// Held by whoever runs in turn, and by who tears down; before mutex_.
  std::mutex turn_;
  platform::Listener listener_;
  LoopId listener_watch_ = 0;
  bool listening_ = false;
  bool torn_down_ = false;
  Peers peers_;
  std::uint64_t arrivals_ = 0;

  std::mutex mutex_;     ///< of what follows
  bool opened_ = false;  ///< there is something in the reactor
  bool deaf_ = true;     ///< nobody watches the listening handle, or will
  bool starved_ = false;
  bool closed_ = false;
  const std::exception_ptr no_memory_;  ///< made while there is some
  std::deque<Admitted> admitted_;
  std::deque<std::exception_ptr> refusals_;
};

}  // namespace multiprocessing::runtime
