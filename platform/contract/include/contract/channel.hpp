// A duplex stream of bytes between two processes: a pair of connected unix sockets, or a named pipe
// whose name is random and refused to everybody else. It carries what parent and child have to say to
// each other, and its end tells each that the other is gone.
//
// One thread may read while another writes; two readers or two writers need a lock of their own.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "contract/clock.hpp"
#include "contract/handle.hpp"
#include "contract/look.hpp"
#include "contract/wait.hpp"

namespace multiprocessing::platform {

/// What a stream that somebody else made is wanted for.
struct StreamUse {
  bool reading = true;
  bool writing = true;
};

/// What a handle is open for: one way for an end of a pipe, on most systems; neither if it is not open.
[[nodiscard]] StreamUse possible_use(RawHandle handle) noexcept;

class Channel {
 public:
  Channel() noexcept;
  Channel(Channel&&) noexcept;
  Channel& operator=(Channel&&) noexcept;
  ~Channel();  ///< closes; the peer reads what was written, then end of file

  /// Takes over one end that channel_pair() made, from its handle. Errors: invalid_argument, other.
  [[nodiscard]] static Result<Channel> adopt(Handle handle);

  /// Takes over a stream that anybody made: an end of channel_pair(), a stream socket or one end of a pipe
  /// (POSIX), a named pipe that was opened for overlapped operations (Windows). Nothing that it shares with
  /// other processes is changed. Errors: invalid_argument (not open, of another kind, or one that can not be
  /// read or not be written as `use` wants), other.
  [[nodiscard]] static Result<Channel> adopt_stream(Handle handle, StreamUse use = {});

  /// In a child: takes over the end that its parent let it inherit under the number `handle`, which
  /// becomes non-inheritable. Trusts nothing: `handle` must not be a standard stream, must be of the
  /// kind that channel_pair() makes, and its pair must have been made by the process `creator_pid`.
  /// Otherwise invalid_argument, and the handle is left as it was.
  [[nodiscard]] static Result<Channel> adopt_inherited(RawHandle handle, int creator_pid);

  explicit operator bool() const noexcept;
  /// For LaunchRequest::inherited, CrashReport and handle_transfer; stays owned by the channel.
  [[nodiscard]] RawHandle get() const noexcept;

  /// Reads what is there, at most buffer.size() > 0 bytes, without waiting. 0 = the peer is gone and all it
  /// wrote has been read. Errors: would_block. A peer that was killed is end of file, not an error.
  [[nodiscard]] Result<std::size_t> read_some(std::span<std::byte> buffer) noexcept;
  /// As read_some, but waits. Errors: timed_out, cancelled (`wakeup`, if not null, was notified). Blocks.
  /// With `look` it looks again and again for that long before it sleeps, and notices `wakeup` only then.
  [[nodiscard]] Result<std::size_t> read_some(std::span<std::byte> buffer, Deadline deadline,
                                              const Wakeup* wakeup = nullptr, Look* look = nullptr) noexcept;
  /// Reads exactly buffer.size() bytes. Errors: as read_some, and broken if the stream ends first. Blocks.
  [[nodiscard]] Status read_all(std::span<std::byte> buffer, Deadline deadline,
                                const Wakeup* wakeup = nullptr) noexcept;
  /// Writes all or fails; after a failure the stream is of no further use, unless `begun`, if not null, was
  /// left as it was: then nothing went out. Errors: broken (peer gone; never a signal), timed_out, cancelled,
  /// out_of_memory. Blocks while the peer does not read.
  [[nodiscard]] Status write_all(std::span<const std::byte> bytes, Deadline deadline,
                                 const Wakeup* wakeup = nullptr, bool* begun = nullptr) noexcept;
  /// The same with two parts, one behind the other, which reach the peer together where the system can do so.
  [[nodiscard]] Status write_both(std::span<const std::byte> head, std::span<const std::byte> body,
                                  Deadline deadline, const Wakeup* wakeup = nullptr,
                                  bool* begun = nullptr) noexcept;

  /// What to wait on (wait.hpp, event_loop.hpp): ready when read_some() would not say would_block. Stays
  /// owned by the channel, and the same for its life.
  [[nodiscard]] RawHandle readable() const noexcept;

  /// No more is written from here: the peer reads to the end of file; reading here goes on. Errors: broken,
  /// not_supported (see Capabilities::half_close).
  [[nodiscard]] Status finish_writing() noexcept;

  /// Of an end of channel_pair() that has come to the end of file: whether the peer closed its end, or died,
  /// before it had read the last byte that was written here. False also where nobody can tell: the peer's end
  /// was copied and the copy is still open, or the system keeps no record (see Capabilities::tells_unread).
  /// It is learned by reads and writes of this object, and says nothing of what a write that failed left out.
  /// Thread-safe.
  [[nodiscard]] bool left_unread() const noexcept;

  /// Of a stream that has come to its end: whether it was cut rather than closed, because the peer left
  /// something unread or because of the network; what the peer had sent may be lost. False also where nobody
  /// can tell (Windows). Learned as left_unread() is. Thread-safe.
  [[nodiscard]] bool was_reset() const noexcept;

  void close() noexcept;

  class State;
  explicit Channel(std::unique_ptr<State> state) noexcept;

 private:
  std::unique_ptr<State> state_;
};

/// Two connected ends, neither inheritable. Errors: out_of_handles, out_of_memory.
[[nodiscard]] Result<std::pair<Channel, Channel>> channel_pair();

/// A one-way pipe for a standard stream of a child: `parent` is a Channel that only reads (or only
/// writes), `child` a plain handle that any program can use as its standard stream.
struct StreamPipe {
  Channel parent;
  Handle child;
};
enum class Direction : unsigned char { child_reads, child_writes };
/// Errors: out_of_handles, out_of_memory.
[[nodiscard]] Result<StreamPipe> stream_pipe(Direction direction);

}  // namespace multiprocessing::platform
