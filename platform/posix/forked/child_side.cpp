// The child's side of a start on systems where we fork: signal handlers, standard streams, the other
// descriptors, folder, priority, signal mask, execve, in this order. It may share its parent's memory and
// run on a small stack: no allocation, no lock, no instrumentation, bare system calls.
// Handlers are reset while all signals are blocked, so that none of the parent's runs here; ignored SIGHUP,
// SIGINT and SIGQUIT stay ignored (nohup, background jobs of a shell).
// Manual pages: signal-safety(7), execve(2), close_range(2).
#include "child_side.hpp"

#include <cerrno>
#include <csignal>

#include <fcntl.h>

#include "os_calls.hpp"
#include "unsanitized.hpp"

namespace multiprocessing::platform::posix {
namespace {

constexpr int first_free = 3;

[[noreturn]] MULTIPROCESSING_UNSANITIZED void fail(ChildSide& side, StartStep step) noexcept {
  side.failure = errno;
  side.failed_step = step;
  if (side.report_to >= 0) {
    const StartReport report{step, errno};
    os::child::write_all(side.report_to, &report, sizeof report);
  }
  os::child::leave(127);
}

MULTIPROCESSING_UNSANITIZED void reset_handlers() noexcept {
  for (int number = 1; number <= os::child::last_signal; ++number) {
    const auto now = os::child::disposition(number);
    const bool stays =
        now == os::child::Disposition::ignored && (number == SIGHUP || number == SIGINT || number == SIGQUIT);
    if (!stays && now != os::child::Disposition::by_default && now != os::child::Disposition::unknown)
      os::child::reset_disposition(number);
  }
}

// Sources are never another standard stream, so the order does not matter.
MULTIPROCESSING_UNSANITIZED bool bind_streams(const ChildSide& side) noexcept {
  for (int target = 0; target < first_free; ++target) {
    const int source = side.streams.data()[target];
    if (source < 0 || source == target)
      os::child::control(target, F_SETFD, 0);  // fails for a stream that is closed: so it stays
    else if (os::child::duplicate_to(source, target) < 0)
      return false;
  }
  return true;
}

MULTIPROCESSING_UNSANITIZED void close_others_on_exec(const ChildSide& side) noexcept {
  if (side.close_range && os::child::close_range_on_exec(first_free)) return;
  if (!os::child::close_listed_on_exec(first_free))
    for (int fd = first_free; fd < side.descriptor_bound; ++fd) os::child::control(fd, F_SETFD, FD_CLOEXEC);
}

}  // namespace

MULTIPROCESSING_UNSANITIZED void run_child_side(ChildSide& side) noexcept {
  reset_handlers();
  if (!bind_streams(side)) fail(side, StartStep::streams);
  close_others_on_exec(side);
  if (side.inherited >= 0 && os::child::control(side.inherited, F_SETFD, 0) < 0)
    fail(side, StartStep::streams);
  if (side.directory != nullptr && os::child::change_directory(side.directory) < 0)
    fail(side, StartStep::directory);
  if (side.set_niceness) os::child::set_niceness(side.niceness);  // a wish: the program runs without it too
  os::child::clear_signal_mask();
  if (side.program >= 0) os::child::execute_open(side.program, side.arguments, side.environment);
  os::child::execute(side.executable, side.arguments, side.environment);
  fail(side, StartStep::execute);
}

}  // namespace multiprocessing::platform::posix
