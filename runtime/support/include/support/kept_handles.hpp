// Handles that are on their way, where the system may drop them once their sender has closed his own
// (Capabilities::transfer_keeps_handles): the sender keeps duplicates until the receiver has them. Behind the
// handles travels a *receipt*, the write end of a pipe, since it is sockets that systems drop. The receiver
// signs it by one byte, and closes it. Its end of file says that nobody will ever take what was sent: the
// stream was closed with it, or the receiver died. In both cases the reactor closes the duplicates.
//
// A stream that was sent into itself, and let go of by everybody else, holds its own receipt: its duplicate
// stays until the process ends.
#pragma once

#include <memory>
#include <span>

#include "contract/handle.hpp"

namespace multiprocessing::runtime {

/// Whether a receipt travels behind handles: the same in all processes of a system, which the sender and the
/// receiver rely on.
[[nodiscard]] bool receipts_travel() noexcept;

/// The receiver's part: it has the handles that came with this.
void sign_receipt(platform::Handle receipt) noexcept;

/// The sender's part. A child that the library forks keeps none of it. Thread-safe, but for one object.
class KeptHandles {
 public:
  /// Keeps nothing.
  KeptHandles() noexcept = default;
  /// Duplicates of the handles, and a receipt for them. Errors: invalid_argument (one is not open),
  /// out_of_handles, out_of_processes (for the reactor's thread), out_of_memory; also throws std::bad_alloc.
  [[nodiscard]] static platform::Result<KeptHandles> keep(std::span<const platform::RawHandle> handles);
  KeptHandles(KeptHandles&&) noexcept = default;
  KeptHandles& operator=(KeptHandles&&) = delete;
  /// Unless sent() was called, nothing is kept any longer.
  ~KeptHandles();

  /// What is to travel behind the handles; no_handle if nothing is kept.
  [[nodiscard]] platform::RawHandle receipt() const noexcept;
  /// The handles and the receipt have gone out.
  void sent() noexcept;

 private:
  struct Kept;
  struct All;
  static All& all();
  static void let_go(const std::shared_ptr<Kept>& kept) noexcept;
  friend void lock_kept_handles() noexcept;
  friend void unlock_kept_handles() noexcept;
  friend void abandon_kept_handles() noexcept;

  std::shared_ptr<Kept> kept_;  ///< none once they were sent
};

/// For ForkGuard. Between the two nothing begins or ends to be kept.
void lock_kept_handles() noexcept;
void unlock_kept_handles() noexcept;
/// In a forked child, after its parent's loop was abandoned and in place of unlock_kept_handles(): what is
/// kept is the parent's.
void abandon_kept_handles() noexcept;

}  // namespace multiprocessing::runtime
