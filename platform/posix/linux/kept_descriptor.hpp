// A descriptor that is opened once and kept, because to open it anew costs each start a good part of what it
// costs itself. Whether it is still that file is asked each time: an application may close descriptors that
// are not its own, as daemons do.
#pragma once

#include <atomic>
#include <memory>
#include <new>

#include <sys/stat.h>
#include <unistd.h>

#include "descriptor.hpp"
#include "error.hpp"

namespace multiprocessing::platform::posix {

/// Never freed: another thread may be looking at the one that is replaced, once for each mishap.
class KeptDescriptor {
 public:
  using Place = std::atomic<const KeptDescriptor*>;

  /// The one that is kept; if there is none, or another process's (which this one is a copy of), what
  /// `open()` gives; -1 if that fails. The file must be one that no other shares device and inode with.
  /// `process`: whose it is; 0 if it is the same in copies.
  template <class Open>
  [[nodiscard]] static int get(Place& place, int process, Open open) noexcept {
    const auto* kept = place.load();
    if (kept != nullptr && kept->is_good()) {
      if (kept->process_ == process) return kept->fd_;
      const int copied = kept->fd_;
      if (place.compare_exchange_strong(kept, nullptr)) {
        ::close(copied);
        kept = nullptr;
      }
    }
    Result<Handle> opened = open();
    struct stat file {};
    if (!opened || ::fstat(to_fd(opened->get()), &file) != 0) return -1;
    std::unique_ptr<const KeptDescriptor> fresh(new (std::nothrow)
                                                    KeptDescriptor(to_fd(opened->get()), process, file));
    if (fresh == nullptr) return -1;
    const bool first = kept == nullptr;
    const bool taken = place.compare_exchange_strong(kept, fresh.get());
    // A number that was closed and is open again may be in use as the one that it was: then it stays open.
    if (taken || !first) static_cast<void>(opened->release());
    return taken ? fresh.release()->fd_ : kept->fd_;
  }

 private:
  KeptDescriptor(int fd, int process, const struct stat& file) noexcept
      : fd_(fd), process_(process), device_(file.st_dev), inode_(file.st_ino) {}
  [[nodiscard]] bool is_good() const noexcept {
    struct stat now {};
    return ::fstat(fd_, &now) == 0 && now.st_dev == device_ && now.st_ino == inode_;
  }

  int fd_, process_;
  dev_t device_;
  ino_t inode_;
};

}  // namespace multiprocessing::platform::posix
