// Process: a function that runs in another process. Python: `multiprocessing.Process` and the functions
// around it.
//
//   void greet(std::string name) { std::cout << "hello " << name << '\n'; }
//   int main() {
//     multiprocessing::freeze_support();
//     multiprocessing::Process p(greet, "bob");
//     p.start();
//     p.join();
//   }
#pragma once

#include <multiprocessing/byte_stream.hpp>
#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/task.hpp>
#include <multiprocessing/duration.hpp>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/fn.hpp>
#include <multiprocessing/freeze_support.hpp>
#include <multiprocessing/native_handle.hpp>
#include <multiprocessing/process_options.hpp>
#include <multiprocessing/stop_token.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace multiprocessing {

class Process;

namespace detail {

class ProcessState;
struct ProcessFactory;

/// Which start method a Process is bound to; empty: the default at the time of start().
struct StartWith {
  const char* method = "";
  const char* class_name = "Process";
};

/// What the child shall run: a task, or an object of a class derived from Process.
struct ChildTarget {
  Target target;
  std::string type_name;  ///< for messages
  bool is_object = false;
};

/// Throws TypeError: an object whose class is derived from the one that the child could make.
[[noreturn]] MULTIPROCESSING_EXPORT void refuse_derived_class(std::string_view class_of_child);

template <class F>
concept process_target =
    !std::derived_from<std::decay_t<F>, Process> && !std::same_as<std::decay_t<F>, ProcessOptions> &&
    !std::same_as<std::decay_t<F>, StartWith>;

}  // namespace detail

/// A handle onto one process that this one starts. Movable, not copyable; every member of a moved-from
/// object throws ValueError. Thread-safe, but for moving, destroying and start(). Only the process that
/// started it may use it: a forked child gets AssertionError.
class MULTIPROCESSING_EXPORT Process {
 public:
  /// Calls `target(args...)` in the child. The arguments are stored as the target's parameters want them
  /// and written when start() is called. What cannot travel does not compile.
  template <class F, class... Args>
  requires detail::process_target<F>
  explicit Process(F target, Args&&... args)
      : Process(detail::StartWith{}, ProcessOptions{},
                detail::make_task<false>(std::move(target), std::forward<Args>(args)...)) {}
  template <class F, class... Args>
  requires detail::process_target<F> Process(ProcessOptions options, F target, Args&&... args)
      : Process(detail::StartWith{}, std::move(options),
                detail::make_task<false>(std::move(target), std::forward<Args>(args)...)) {}
  /// For subclasses, and for a target of nothing: the child runs run().
  Process();
  explicit Process(ProcessOptions options);

  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  /// A derived object would lose its run() on the way.
  template <std::derived_from<Process> D>
  requires(!std::same_as<D, Process>) Process(D&&)
  = delete;
  /// Neither waits nor kills: a child that runs stays in active_children().
  virtual ~Process();

  /// Calls the target. A subclass overrides it; the child calls it. Called before start() it gives the target
  /// copies of the arguments, but those of a ForkProcess itself, since they may be of a kind that has none:
  /// what a target takes out of them is missing in a later start(). Python: `run`.
  virtual void run();

  /// Starts the child. Throws AssertionError (started before; a daemonic process may have no children),
  /// RuntimeError (freeze_support() was not called), TypeError (a subclass that another process cannot
  /// make), ValueError (an option that makes no sense), SerializationError, OSError (the system refuses;
  /// nothing is left behind), CancelledError. Blocks until the program is loaded and its arguments
  /// are on their way; those that do not fit into the channel, until it has read them.
  void start(StopToken stop = {});

  /// Waits until the process has ended. Throws AssertionError before start(), CancelledError.
  void join(StopToken stop = {});
  /// The same for at most `timeout`; true if it has ended.
  bool join(Duration timeout, StopToken stop = {});
  /// False before start() and after the end.
  [[nodiscard]] bool is_alive() const;

  /// Asks as Ctrl-C would: SIGINT; on Windows CTRL_BREAK where a console is shared, else the child's
  /// stop_token(). A process that has ended is left alone. Throws AssertionError before start(), OSError.
  void interrupt();
  /// SIGTERM / TerminateProcess. As interrupt().
  void terminate();
  /// SIGKILL / TerminateProcess. As interrupt().
  void kill();
  /// Sets the child's stop_token(), waits `grace`, then terminate(), waits `grace`, then kill(), and waits
  /// for the end.
  void stop(Duration grace, StopToken stop = {});
  /// Lets go of what the system keeps for this process; every member throws ValueError then. Throws
  /// ValueError while it runs. Waits as exitcode() does.
  void close();

  [[nodiscard]] std::string name() const;
  void set_name(std::string name);
  [[nodiscard]] bool daemon() const;
  /// Throws AssertionError after start(), but for current_process(): there it says from now on whether this
  /// process may have children, and what those are by default. How it ends does not change.
  void set_daemon(bool daemon);
  /// nullopt before start(). Python: `pid`, `ident`.
  [[nodiscard]] std::optional<int> pid() const;
  /// nullopt before start() and while it runs; -N if signal N ended it; -15 and -9 after terminate() and
  /// kill() on every system; a Windows exception is its NTSTATUS in the same 32 bits; 255 with
  /// ExitKind::unknown if somebody else took the code. A program that ends without having taken its target
  /// has its own code, and ExitKind::unknown.
  ///
  /// Of a child that has ended, and whose fork server is alive and has not told yet how, this waits for that
  /// word: mostly an instant, at most 5 s from the first look at it, if the server is stopped; then the code
  /// is 255 with ExitKind::unknown. Of one that has ended, and that a debugger holds back, 2 ms. Of all
  /// others it does not wait.
  [[nodiscard]] std::optional<int> exitcode() const;
  /// Waits as exitcode() does.
  [[nodiscard]] ExitKind exit_kind() const;
  /// "exit 3", "signal 11 (SIGSEGV)", "access violation (0xC0000005)"; "not started", "running". Waits as
  /// exitcode() does.
  [[nodiscard]] std::string exit_reason() const;
  /// What escaped from the child's run(), as ProcessRaisedException; null if nothing did, or while it runs.
  /// Waits as exitcode() does.
  [[nodiscard]] std::exception_ptr exception() const;
  /// Ready when the process has ended, for connection::wait() and event loops. Throws ValueError before
  /// start().
  [[nodiscard]] Sentinel sentinel() const;
  /// A secret that a process shares with its children, for the handshakes of Listener and Client: 32 bytes
  /// from the system's source of random numbers, or what set_authkey() said. Of a child that was given none
  /// of its own it is this process's. Throws OSError (no random numbers). Thread-safe.
  /// Python: `authkey`.
  [[nodiscard]] std::vector<std::byte> authkey() const;
  /// The key that the child shall have, and its children; of any length but none. Throws ValueError (an empty
  /// key), AssertionError after start(), but for current_process(): that has the new key from now on, and so
  /// have the children that it starts later. Thread-safe. Python: `authkey`.
  void set_authkey(ByteView key);

  /// The other ends of the child's streams. Throw ValueError unless the stream was opened with Stdio::pipe
  /// and the process was started.
  [[nodiscard]] ByteStream& standard_input();
  [[nodiscard]] ByteStream& standard_output();
  [[nodiscard]] ByteStream& standard_error();

 protected:
  Process(detail::StartWith with, ProcessOptions options, std::unique_ptr<detail::Task> task);

  /// How another process makes this object; ProcessOf answers it. Throws TypeError.
  [[nodiscard]] virtual detail::ChildTarget child_target() const;
  virtual void encode_for_child(detail::Encoder& encoder) const;

 private:
  friend struct detail::ProcessFactory;
  explicit Process(std::shared_ptr<detail::ProcessState> state) noexcept;
  std::shared_ptr<detail::ProcessState> state_;
};

/// Base of a process class of your own: `struct Greeter : mp::ProcessOf<Greeter>`. Where the child is not
/// forked it makes a Greeter (the default constructor may be private, with `friend mp::access`), reads its
/// members with Greeter's own serialize(), and calls run().
template <class Derived>
class ProcessOf : public Process {
 public:
  ProcessOf() = default;
  explicit ProcessOf(ProcessOptions options) : Process(std::move(options)) {}

 protected:
  [[nodiscard]] detail::ChildTarget child_target() const override {
    if (typeid(*this) != typeid(Derived)) detail::refuse_derived_class(detail::type_name<Derived>());
    return {{&detail::object_descriptor<Derived>, nullptr}, std::string(detail::type_name<Derived>()), true};
  }
  void encode_for_child(detail::Encoder& encoder) const override {
    detail::encode_object(encoder, static_cast<const Derived&>(*this));
  }
};

/// The process that this code runs in; the main program's is called "MainProcess". Never moved or closed.
MULTIPROCESSING_EXPORT Process& current_process();

/// What a child knows of the process that started it. Copyable.
class MULTIPROCESSING_EXPORT ParentProcess {
 public:
  [[nodiscard]] int pid() const noexcept { return pid_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] bool is_alive() const;
  /// Waits for its end, which only a child with OnParentDeath::keep_running lives to see.
  void join(StopToken stop = {}) const;
  /// True if it has ended.
  bool join(Duration timeout, StopToken stop = {}) const;
  /// Ready when it has ended.
  [[nodiscard]] Sentinel sentinel() const;

 private:
  friend struct detail::ProcessFactory;
  ParentProcess(int pid, std::string name) : pid_(pid), name_(std::move(name)) {}
  int pid_;
  std::string name_;
};

/// nullopt in the main program; still right after the parent has died.
[[nodiscard]] MULTIPROCESSING_EXPORT std::optional<ParentProcess> parent_process();

/// The children of this process that run; joins those that have ended. The objects are base handles onto
/// the same processes.
[[nodiscard]] MULTIPROCESSING_EXPORT std::vector<Process> active_children();

/// Logical processors of this machine. Python: `os.cpu_count`.
[[nodiscard]] MULTIPROCESSING_EXPORT int cpu_count();
/// Processors that this process may use: affinity and cgroup limits respected. Python:
/// `os.process_cpu_count`.
[[nodiscard]] MULTIPROCESSING_EXPORT int process_cpu_count();

/// In a child: set by stop(), by interrupt() on Windows where no console is shared, and by the parent's
/// death. In the main program it never stops.
[[nodiscard]] MULTIPROCESSING_EXPORT StopToken stop_token();

/// Ends this process with `code & 0xff` (the whole code on Windows) and does the right thing where std::exit
/// does not: a forked child ends its own children and flushes, and leaves the parent's objects alone. Python:
/// `sys.exit`.
[[noreturn]] MULTIPROCESSING_EXPORT void exit(int code);

/// Always started by executing the program anew. Python: `multiprocessing.context.SpawnProcess`.
class MULTIPROCESSING_EXPORT SpawnProcess : public Process {
 public:
  template <class F, class... Args>
  requires detail::process_target<F>
  explicit SpawnProcess(F target, Args&&... args)
      : SpawnProcess(ProcessOptions{}, std::move(target), std::forward<Args>(args)...) {}
  template <class F, class... Args>
  requires detail::process_target<F> SpawnProcess(ProcessOptions options, F target, Args&&... args)
      : Process(detail::StartWith{"spawn", "SpawnProcess"}, std::move(options),
                detail::make_task<false>(std::move(target), std::forward<Args>(args)...)) {}
  SpawnProcess();
  explicit SpawnProcess(ProcessOptions options);
  SpawnProcess(SpawnProcess&&) noexcept = default;
  SpawnProcess& operator=(SpawnProcess&&) noexcept = default;
  ~SpawnProcess() override;
};

/// Always forked; takes callables with captures and arguments that could not travel, since nothing does.
/// start() throws ValueError where the system cannot fork. Python: `multiprocessing.context.ForkProcess`.
class MULTIPROCESSING_EXPORT ForkProcess : public Process {
 public:
  template <class F, class... Args>
  requires detail::process_target<F>
  explicit ForkProcess(F target, Args&&... args)
      : ForkProcess(ProcessOptions{}, std::move(target), std::forward<Args>(args)...) {}
  template <class F, class... Args>
  requires detail::process_target<F> ForkProcess(ProcessOptions options, F target, Args&&... args)
      : Process(detail::StartWith{"fork", "ForkProcess"}, std::move(options),
                detail::make_local_task(std::move(target), std::forward<Args>(args)...)) {}
  ForkProcess();
  explicit ForkProcess(ProcessOptions options);
  ForkProcess(ForkProcess&&) noexcept = default;
  ForkProcess& operator=(ForkProcess&&) noexcept = default;
  ~ForkProcess() override;
};

/// Always forked by the fork server, a process without threads that this one starts when it first needs it:
/// as safe with threads as "spawn", and as fast as "fork" from a small process. start() throws ValueError
/// where the system cannot fork. Python: `multiprocessing.context.ForkServerProcess`.
class MULTIPROCESSING_EXPORT ForkServerProcess : public Process {
 public:
  template <class F, class... Args>
  requires detail::process_target<F>
  explicit ForkServerProcess(F target, Args&&... args)
      : ForkServerProcess(ProcessOptions{}, std::move(target), std::forward<Args>(args)...) {}
  template <class F, class... Args>
  requires detail::process_target<F> ForkServerProcess(ProcessOptions options, F target, Args&&... args)
      : Process(detail::StartWith{"forkserver", "ForkServerProcess"}, std::move(options),
                detail::make_task<false>(std::move(target), std::forward<Args>(args)...)) {}
  ForkServerProcess();
  explicit ForkServerProcess(ProcessOptions options);
  ForkServerProcess(ForkServerProcess&&) noexcept = default;
  ForkServerProcess& operator=(ForkServerProcess&&) noexcept = default;
  ~ForkServerProcess() override;
};

}  // namespace multiprocessing
