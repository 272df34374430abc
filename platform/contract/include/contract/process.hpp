// Starting, watching and stopping processes. A child is known by a *sentinel*: a handle that becomes
// ready when the process has ended, and that can never come to mean another process.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/channel.hpp"
#include "contract/clock.hpp"
#include "contract/handle.hpp"

namespace multiprocessing::platform {

/// Where a standard stream of a child comes from.
struct StreamBinding {
  enum class Source : std::uint8_t { inherit, null, handle };
  Source source = Source::inherit;
  RawHandle handle = no_handle;  ///< for Source::handle; stays the caller's
};

enum class PriorityClass : std::uint8_t { normal, below_normal, background };

/// Everything that launch() needs; checked before anything is done.
struct LaunchRequest {
  std::string executable;              ///< path in UTF-8; without a separator it is searched for in PATH
  std::vector<std::string> arguments;  ///< UTF-8, [0] is the program's name; never empty
  std::optional<std::vector<std::string>> environment;  ///< "NAME=value"; nullopt: this process's
  std::string working_directory;                        ///< UTF-8; empty: this process's
  std::array<StreamBinding, 3> streams;                 ///< standard input, output, error
  RawHandle inherited = no_handle;  ///< the only other handle that the child gets, under the same number
  PriorityClass priority = PriorityClass::normal;
  bool ends_with_parent = true;  ///< where the system itself can see to that (see capabilities)
  bool new_console = false;      ///< give a console program a console of its own, where that means anything
};

/// How a process ended.
struct ExitStatus {
  enum class Kind : std::uint8_t {
    exited,     ///< by itself; code is 0 … 255, on Windows any value but those below
    signalled,  ///< code is -N for signal N; on Windows -15 and -9, as terminate and kill leave them
    faulted,    ///< Windows: code is the exception's NTSTATUS, a negative number
    unknown,    ///< ended, but somebody else took the code; code is 255
  };
  Kind kind = Kind::unknown;
  int code = 255;
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

/// "exit 3", "signal 11 (SIGSEGV)", "access violation (0xC0000005)", "ended, exit code unknown".
[[nodiscard]] std::string describe(const ExitStatus& status);
/// "SIGSEGV" for signalled; nullopt otherwise.
[[nodiscard]] std::optional<std::string> signal_name(const ExitStatus& status);

enum class StopSignal : std::uint8_t {
  interrupt,  ///< SIGINT; Windows: CTRL_BREAK to a child that shares our console, else not_supported
  terminate,  ///< SIGTERM; Windows: TerminateProcess with -15
  kill,       ///< SIGKILL; Windows: TerminateProcess with -9
};

/// What is missing when a child has ended: how. If another process forked it, that is known once the handle
/// is ready, or at the deadline, whichever is first. Without a handle a debugger has the child, and lets go
/// of it when it likes: nothing becomes ready, and at the deadline poll() is worth another look.
struct ExpectedWord {
  RawHandle handle = no_handle;
  Deadline deadline = Deadline::never();
};

/// Sole owner of what this process knows of one child. Destroying it neither waits nor kills; the
/// system's record of an ended child is then reaped by the next launch or poll. Thread-safe, but for
/// moving and destroying.
class ChildProcess {
 public:
  ChildProcess() noexcept;
  ChildProcess(ChildProcess&&) noexcept;
  ChildProcess& operator=(ChildProcess&&) noexcept;
  ~ChildProcess();

  [[nodiscard]] int pid() const noexcept;
  /// Ready when the process has ended. Owned by this object.
  [[nodiscard]] RawHandle sentinel() const noexcept;
  /// How it ended, or nullopt while it runs; never waits. Answers the same for ever once it has ended; says
  /// "running" when the sentinel is ready only while there is an expected_word(). A status that somebody else
  /// has taken (waitpid(-1), SIGCHLD ignored) is ExitStatus::Kind::unknown.
  [[nodiscard]] std::optional<ExitStatus> poll() noexcept;
  /// Of a child that has ended. If another process forked it (handover.hpp), that tells how a moment later,
  /// and has five seconds for it; a debugger may take any time. nullopt: poll() says all there is. Never
  /// waits.
  [[nodiscard]] std::optional<ExpectedWord> expected_word() const noexcept;
  /// Never reaches another process that got the same pid. Errors: gone (it has ended), permission_denied,
  /// not_supported. Never blocks.
  [[nodiscard]] Status send(StopSignal signal) noexcept;

  class State;
  explicit ChildProcess(std::unique_ptr<State> state) noexcept;

 private:
  std::unique_ptr<State> state_;
};

/// Starts a program. The child gets the three standard streams and `inherited`, nothing else; an empty
/// signal mask, default handlers, and only SIGHUP, SIGINT and SIGQUIT stay ignored if they were.
/// Costs no more in a large parent than in a small one.
/// Errors: not_found, permission_denied, not_executable, not_found for the working directory,
/// out_of_processes, out_of_memory, out_of_handles, too_long, invalid_argument. When it fails there is no
/// child. Blocks until the program is loaded or has failed to. Thread-safe.
[[nodiscard]] Result<ChildProcess> launch(const LaunchRequest& request);

/// The path of the file that launch() executes for LaunchRequest::executable, in UTF-8: the name itself if it
/// has a separator, else where it is found in PATH. Errors: not_found, not_executable, too_long,
/// invalid_argument, not_supported.
[[nodiscard]] Result<std::string> find_program(const std::string& name);

/// The child's side of fork_process(), or the parent's.
struct ForkOutcome {
  bool in_child = false;
  ChildProcess child;  ///< empty in the child
};
/// Forks. In the child `close_in_child` is closed, the signal mask is empty; there is only the calling
/// thread. Errors: not_supported (see Capabilities::fork), out_of_processes, out_of_memory, out_of_handles.
/// Not thread-safe with regard to locks that other threads hold: the caller prepares what the child will use.
[[nodiscard]] Result<ForkOutcome> fork_process(std::span<const RawHandle> close_in_child);

/// A process that cannot be mistaken for a later one with the same pid.
struct ProcessIdentity {
  int pid = 0;
  std::uint64_t start_time = 0;  ///< in the system's own unit; 0 = unknown
  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};
[[nodiscard]] int current_pid() noexcept;
[[nodiscard]] ProcessIdentity current_identity() noexcept;
/// Errors: gone, out_of_handles.
[[nodiscard]] Result<ProcessIdentity> identify(int pid) noexcept;
/// False once it has ended, even if its pid lives again, even while it is a zombie. Where there is no
/// descriptor left to ask the system with, a process that runs under this pid counts as the one that is
/// meant.
[[nodiscard]] bool is_alive(const ProcessIdentity& identity) noexcept;
/// A handle of any process that is ready when that process has ended. Errors: gone (ended, or the pid is
/// another's by now), permission_denied, not_supported (see Capabilities::foreign_sentinels; or the system
/// does not tell when processes were started, so that this one cannot be known again), out_of_handles.
/// `made_us`: it is the identity of the process that made this one. As long as that is the parent nobody else
/// has its pid, which saves a look at when it was started.
[[nodiscard]] Result<Handle> open_sentinel(const ProcessIdentity& identity, bool made_us = false) noexcept;

/// From now on this process ends with `code`, as by end_now(), when the other end of the channel is closed or
/// `sentinel` is ready (no_handle: the channel alone). Both must stay open for the life of the process. Once
/// in a process; costs it less than run_in_background(). Errors: not_supported, out_of_processes,
/// out_of_memory: a thread has to watch then.
[[nodiscard]] Status end_with_peer(const Channel& channel, RawHandle sentinel, int code) noexcept;

/// Keeps Ctrl-C from ending this process: the interrupt waits for ever. Threads that it starts later keep it,
/// children that it forks do not. For a helper that shares the terminal of those whom it serves.
void hold_interrupts() noexcept;

/// Ends this process at once: no destructors, no handlers, no flush. Async-signal-safe.
[[noreturn]] void end_now(int code) noexcept;

// What a forked child does to itself, since nobody could do it before it began. Not thread-safe.

/// Errors: those of opening and duplicating. Streams that `inherit` stay as they are.
[[nodiscard]] Status bind_standard_streams(const std::array<StreamBinding, 3>& streams) noexcept;
/// Errors: not_found, permission_denied, too_long.
[[nodiscard]] Status change_working_directory(const std::string& path) noexcept;
/// Replaces all of it; "NAME=value" each. Errors: out_of_memory, invalid_argument.
[[nodiscard]] Status replace_environment(const std::vector<std::string>& environment) noexcept;
/// Errors: permission_denied.
[[nodiscard]] Status change_priority(PriorityClass priority) noexcept;
/// Bytes of memory of its own that this process may have from now on, ≥ 1; what it has counts, and stays. A
/// lower limit that is in force already stays in force. Errors: not_supported (see
/// Capabilities::memory_limits), permission_denied, out_of_memory, invalid_argument.
[[nodiscard]] Status limit_memory(std::uint64_t bytes) noexcept;

}  // namespace multiprocessing::platform
