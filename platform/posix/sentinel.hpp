// Sentinels of processes. An exact one is a kernel object of the process itself: a pidfd (linux/pidfd.cpp)
// or a kqueue that waits for its end (bsd/kqueue.cpp). Where there is none, the child holds the write end of
// a pipe, and its parent the read end: sentinel.cpp.
#pragma once

#include <optional>

#include "contract/process.hpp"
#include "descriptor.hpp"

namespace multiprocessing::platform::posix {

/// What the kernel says about a child.
struct ChildAnswer {
  enum class Kind : unsigned char {
    running,
    ended,
    lost
  };  ///< lost: somebody else has its status, it has ended
  Kind kind = Kind::running;
  ExitStatus status;
};

// What a leaf provides.

/// Whether the system has exact sentinels; "no-pidfd" takes them away.
[[nodiscard]] bool exact_sentinels() noexcept;
/// An exact sentinel of the process that has this pid now. Errors: gone, not_supported, out_of_handles.
[[nodiscard]] Result<Handle> open_exact_sentinel(int pid) noexcept;
/// Asks by sentinel, and reaps; nullopt where children can be asked for by pid alone.
[[nodiscard]] std::optional<ChildAnswer> reap_by_sentinel(int sentinel) noexcept;
/// Signals by sentinel: 0 or an errno; nullopt where processes can be signalled by pid alone.
[[nodiscard]] std::optional<int> signal_by_sentinel(int sentinel, int number) noexcept;

// Neutral.

/// Asks for a child by its pid, which is nobody else's while the child is not reaped, and reaps.
[[nodiscard]] ChildAnswer reap_by_pid(int pid) noexcept;
[[nodiscard]] ExitStatus status_of(int wait_status) noexcept;
/// Waits until the child can be reaped, without doing it.
void wait_for_end(int pid) noexcept;

/// A sentinel of a process that has ended already.
[[nodiscard]] Result<Handle> ready_sentinel();
struct ChildSentinel {
  Handle handle;
  bool lost = false;  ///< the child has ended, and somebody else took its status
};
/// The exact sentinel of a child that was just made by fork(). It may have ended, and its pid may even be a
/// stranger's by now if somebody else reaps our children: then `spare` is the answer, a ready sentinel
/// that the caller made before the fork, so that a lack of descriptors shows before there is a child.
[[nodiscard]] Result<ChildSentinel> open_child_sentinel(int pid, Handle spare) noexcept;

/// This process's own end of the pipe that is its parent's sentinel; forgets the one before.
void hold_sentinel_pipe(int fd) noexcept;
/// In a forked child: closes the end that belongs to the parent's parent.
void drop_sentinel_pipe() noexcept;
/// In a launched child: the pipe lies right above the inherited handle; from now on no program that this
/// process starts gets it.
void find_sentinel_pipe(int inherited) noexcept;

}  // namespace multiprocessing::platform::posix
