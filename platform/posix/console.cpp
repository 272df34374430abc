// The terminal and the standard streams: TIOCGWINSZ, write(), open(). Text for standard error goes out in one
// write; a reader that is gone raises no signal, and one that does not read is waited for at most a second.
// Crashes show no dialogs here. Manual pages: tty_ioctl(4), write(2).
#include "contract/console.hpp"

#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "descriptor.hpp"
#include "error.hpp"
#include "stream.hpp"

namespace multiprocessing::platform {
namespace {

constexpr int patience = 1000;  // milliseconds
constexpr int usual_width = 80;

bool is_closed(int fd) noexcept { return ::fcntl(fd, F_GETFD) == -1 && errno == EBADF; }

}  // namespace

std::optional<int> terminal_width(StandardStream stream) noexcept {
  const int fd = static_cast<int>(stream);
  if (::isatty(fd) != 1) return std::nullopt;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return usual_width;
  return size.ws_col;
}

void write_to_standard_error(std::string_view text) noexcept {
  const int saved = errno;
  while (!text.empty()) {
    const long written = posix::write_quietly(STDERR_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    pollfd entry{STDERR_FILENO, POLLOUT, 0};
    if ((errno != EAGAIN && errno != EWOULDBLOCK) || ::poll(&entry, 1, patience) != 1) break;
  }
  errno = saved;
}

Status secure_standard_streams() noexcept {
  for (int target = STDIN_FILENO; target <= STDERR_FILENO; ++target) {
    if (!is_closed(target)) continue;
    // The lowest free number is the stream's. Without devices (a bare chroot) a folder keeps the place.
    int opened = posix::retried([] { return ::open("/dev/null", O_RDWR); });
    if (opened == -1 && errno == ENOENT) opened = posix::retried([] { return ::open("/", O_RDONLY); });
    if (opened == -1) return posix::last_error("open");
  }
  return {};
}

void silence_crash_dialogs() noexcept {}

}  // namespace multiprocessing::platform
