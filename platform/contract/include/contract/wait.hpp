// Waiting for native handles. A handle is *ready* when it is readable or hung up (POSIX), or signalled
// (Windows): so a sentinel is ready when its process has ended. Readiness is a level, not an edge: it
// stays until what caused it is consumed. Any number of handles works on every system.
//
// All functions go on after EINTR, until their deadline.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "contract/clock.hpp"
#include "contract/handle.hpp"

namespace multiprocessing::platform {

/// Waits until the handle is ready. Errors: timed_out, invalid_argument (not an open handle that can be
/// waited on), out_of_memory. Blocks. Thread-safe: many threads may wait on one handle.
[[nodiscard]] Status wait_one(RawHandle handle, Deadline deadline) noexcept;

/// Waits until one of two handles is ready, and takes no memory for it: 0 or 1, the first where both are.
/// They differ: one that is named twice may become ready between the looks at the two. Errors: as wait_one.
/// Blocks. Thread-safe.
[[nodiscard]] Result<std::size_t> wait_either(RawHandle first, RawHandle second, Deadline deadline) noexcept;

/// The positions of *all* ready handles, ascending; empty when the deadline passed first, and at once
/// for no handles. A handle may stand in the list more than once. Errors: invalid_argument,
/// out_of_memory, out_of_handles. Blocks. Thread-safe.
[[nodiscard]] Result<std::vector<std::size_t>> wait_any(std::span<const RawHandle> handles,
                                                        Deadline deadline);

/// Makes another thread's wait return: a handle that is ready from notify() until reset().
class Wakeup {
 public:
  /// Errors: out_of_handles, out_of_memory.
  [[nodiscard]] static Result<Wakeup> create();

  /// Thread-safe and async-signal-safe; any number of times. Never blocks.
  void notify() const noexcept;
  void reset() const noexcept;
  [[nodiscard]] RawHandle waitable() const noexcept { return read_.get(); }

 private:
  Handle read_;
  Handle write_;  ///< only where one kernel object cannot be both ends
};

/// A set of handles that is kept between waits: what each wait costs depends on how many are ready, not
/// on how many there are (where capabilities().kept_wait_sets says so). Not thread-safe.
class WaitSet {
 public:
  /// Errors: out_of_handles, out_of_memory.
  [[nodiscard]] static Result<WaitSet> create();
  WaitSet(WaitSet&&) noexcept;
  WaitSet& operator=(WaitSet&&) noexcept;
  ~WaitSet();

  /// `key` comes back from wait() and is the caller's; unique in the set. The handle must stay open
  /// until it is removed. Errors: invalid_argument (cannot be waited on), already_exists (the key, or
  /// the same handle under another key), out_of_memory, out_of_handles.
  [[nodiscard]] Status add(RawHandle handle, std::size_t key);
  /// Errors: not_found.
  [[nodiscard]] Status remove(std::size_t key);
  /// Puts the keys of all ready handles into `ready` (cleared first, any order); leaves it empty when
  /// the deadline passed. Errors: out_of_memory. Blocks.
  [[nodiscard]] Status wait(std::vector<std::size_t>& ready, Deadline deadline);
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  class State;
  explicit WaitSet(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace multiprocessing::platform
