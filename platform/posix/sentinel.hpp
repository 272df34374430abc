// Sentinels of processes. An exact one is a kernel object of the process itself: a pidfd (linux/pidfd.cpp)
// or a kqueue that waits for its end (bsd/kqueue_sentinel.cpp). Where there is none, a thread of ours waits
// for the child and makes an event ready: AnnouncedEnd, in sentinel.cpp.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "contract/process.hpp"
#include "contract/wait.hpp"
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
/// Whether an exact sentinel can be sent to another process; "no-sentinel-transfer" takes that away.
[[nodiscard]] bool sentinels_travel() noexcept;
/// Asks by sentinel, and reaps; nullopt where children can be asked for by pid alone.
[[nodiscard]] std::optional<ChildAnswer> reap_by_sentinel(int sentinel) noexcept;
/// Signals by sentinel: 0 or an errno; nullopt where processes can be signalled by pid alone.
[[nodiscard]] std::optional<int> signal_by_sentinel(int sentinel, int number) noexcept;

// Neutral.

/// Asks for a child by its pid, which is nobody else's while the child is not reaped, and reaps.
[[nodiscard]] ChildAnswer reap_by_pid(int pid) noexcept;
[[nodiscard]] ExitStatus status_of(int wait_status) noexcept;
/// Waits until the child can be reaped or is not there any more, without reaping it. Blocks.
void wait_for_end(int pid) noexcept;

/// What is a sentinel where there are no exact ones. Nothing of it is in the child, so it is ready when the
/// child has ended, whatever the child closes and whomever it leaves behind.
class AnnouncedEnd {
 public:
  /// Before there is a child. Errors: out_of_handles, out_of_memory.
  [[nodiscard]] static Result<std::shared_ptr<AnnouncedEnd>> create();
  explicit AnnouncedEnd(Wakeup ended) noexcept : ended_(std::move(ended)) {}

  /// Starts the thread that waits for the child. Errors: out_of_processes, out_of_memory.
  [[nodiscard]] static Status watch(const std::shared_ptr<AnnouncedEnd>& end, int pid);
  /// The same for a child that another process reaps: until there is something to read in `word`, or its end.
  [[nodiscard]] static Status watch(const std::shared_ptr<AnnouncedEnd>& end, Handle word);
  [[nodiscard]] RawHandle waitable() const noexcept { return ended_.waitable(); }
  /// Nobody looks at it any more; the thread may last as long as the child.
  void close() noexcept;

 private:
  enum class Phase : unsigned char { open, announcing, announced, closed };

  template <class Wait>
  [[nodiscard]] static Status announce_after(const std::shared_ptr<AnnouncedEnd>& end, Wait wait);
  void announce() noexcept;

  const int owner_ = current_pid();
  std::atomic<Phase> phase_{Phase::open};
  Wakeup ended_;
};
/// How many threads wait for children now.
[[nodiscard]] int count_waiting_threads() noexcept;
/// In a forked child: they are not there.
void forget_waiting_threads() noexcept;

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

}  // namespace multiprocessing::platform::posix
