// Starting a program on macOS: posix_spawn, which is one system call there. POSIX_SPAWN_CLOEXEC_DEFAULT
// closes everything that is not named; handlers and mask are set by attributes; the folder by an action. The
// niceness is set by the parent afterwards. The sentinel is a kqueue that is made right after: a child that
// has ended by then, and was not taken by somebody else, is a zombie of ours. posix_spawn does not say which
// step failed, so the folder is looked at. Manual page: posix_spawn(2).
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.hpp"
#include "start.hpp"

namespace multiprocessing::platform::posix {
namespace {

class Actions {
 public:
  Actions() noexcept { posix_spawn_file_actions_init(&actions_); }
  ~Actions() { posix_spawn_file_actions_destroy(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;

  /// 0 or an errno.
  [[nodiscard]] int fill(const ChildSide& side) noexcept {
    for (int target = 0; target < 3; ++target)
      if (const int failure = bind(side.streams[static_cast<std::size_t>(target)], target)) return failure;
    if (side.inherited >= 0)
      if (const int failure = posix_spawn_file_actions_addinherit_np(&actions_, side.inherited))
        return failure;
    return side.directory == nullptr ? 0 : posix_spawn_file_actions_addchdir_np(&actions_, side.directory);
  }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

 private:
  int bind(int source, int target) noexcept {
    if (source >= 0 && source != target) return posix_spawn_file_actions_adddup2(&actions_, source, target);
    if (::fcntl(target, F_GETFD) == -1) return 0;  // a stream that is closed stays so
    return posix_spawn_file_actions_addinherit_np(&actions_, target);
  }

  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() noexcept { posix_spawnattr_init(&attributes_); }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  [[nodiscard]] int fill() noexcept {
    sigset_t none;
    sigemptyset(&none);
    const sigset_t by_default = signals_to_reset();
    if (const int failure = posix_spawnattr_setsigmask(&attributes_, &none)) return failure;
    if (const int failure = posix_spawnattr_setsigdefault(&attributes_, &by_default)) return failure;
    return posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_CLOEXEC_DEFAULT | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  [[nodiscard]] const posix_spawnattr_t* get() const noexcept { return &attributes_; }

 private:
  static sigset_t signals_to_reset() noexcept {
    sigset_t reset;
    sigfillset(&reset);
    sigdelset(&reset, SIGKILL);
    sigdelset(&reset, SIGSTOP);
    for (const int number : {SIGHUP, SIGINT, SIGQUIT}) {
      struct sigaction action {};
      if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN)
        sigdelset(&reset, number);
    }
    return reset;
  }

  posix_spawnattr_t attributes_;
};

bool is_usable_folder(const char* path) noexcept {
  struct stat about {};
  return ::stat(path, &about) == 0 && S_ISDIR(about.st_mode) && ::access(path, X_OK) == 0;
}

Error failure_of_spawn(const ChildSide& side, int failure) noexcept {
  if (failure == EBADF) return failure_of(StartStep::streams, failure);
  const bool in_folder = side.directory != nullptr && !is_usable_folder(side.directory);
  return failure_of(in_folder ? StartStep::directory : StartStep::execute, failure);
}

}  // namespace

Result<StartedChild> start_child(ChildSide& side) {
  auto watch = prepare_watch();
  if (!watch) return watch.error();
  Actions actions;
  Attributes attributes;
  if (const int failure = actions.fill(side)) return error_of(failure, "posix_spawn_file_actions");
  if (const int failure = attributes.fill()) return error_of(failure, "posix_spawnattr");
  pid_t pid = -1;
  if (const int failure = posix_spawn(&pid, side.executable, actions.get(), attributes.get(), side.arguments,
                                      side.environment))
    return failure_of_spawn(side, failure);
  auto started = watch_forked(pid, *std::move(watch));
  // A child that somebody else has reaped leaves its pid to strangers.
  if (started && !started->lost && side.set_niceness)
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), side.niceness);
  return started;
}

}  // namespace multiprocessing::platform::posix
