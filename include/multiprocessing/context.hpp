// Start methods: how a child comes into being. Python: `multiprocessing.get_context` and its kin.
#pragma once

#include <multiprocessing/bytes.hpp>
#include <multiprocessing/call.hpp>
#include <multiprocessing/connection.hpp>
#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/futures.hpp>
#include <multiprocessing/listener.hpp>
#include <multiprocessing/logging.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/spawn.hpp>
#include <multiprocessing/timeout.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace multiprocessing {

namespace detail {
MULTIPROCESSING_EXPORT void register_target(std::string_view name, Target target);
MULTIPROCESSING_EXPORT void set_forkserver_preload(const std::vector<std::unique_ptr<Task>>& functions);
}  // namespace detail

/// Every start method of this system, the default first.
[[nodiscard]] MULTIPROCESSING_EXPORT std::vector<std::string> get_all_start_methods();
/// The one in force. Fixes the default: set_start_method() then needs `force`.
[[nodiscard]] MULTIPROCESSING_EXPORT std::string get_start_method();
/// With allow_none: nullopt while none is fixed, and none is fixed by asking.
[[nodiscard]] MULTIPROCESSING_EXPORT std::optional<std::string> get_start_method(bool allow_none);
/// Throws ValueError (unknown; the message lists the known ones), RuntimeError (fixed already, without
/// `force`). The environment variable MULTIPROCESSING_START_METHOD changes the default; this wins over it.
MULTIPROCESSING_EXPORT void set_start_method(std::string_view method, bool force = false);

/// What "spawn" and the fork server execute in place of this program: the same build under another path, or a
/// program that knows the targets by register_task(). `prefix` is a launcher such as wine or qemu with its
/// arguments. An empty path is this program again. Counts for every start() by "spawn" that begins later,
/// here and in children that are started later; the fork server that runs is replaced at the next start() by
/// "forkserver", and the children that it has go on. Nothing is looked for now: start() throws OSError if
/// there is no such program. Process-wide; thread-safe. Python: `multiprocessing.set_executable`, which has
/// no launcher.
MULTIPROCESSING_EXPORT void set_executable(PathView path, std::vector<std::string> prefix = {});

/// Lets F run in another executable that registers the same F under the same name before freeze_support().
/// Throws ValueError if the name is taken by another target.
template <auto F>
void register_task(std::string_view name) {
  detail::register_target(name, detail::target_of<F>());
}

/// Functions without arguments that the fork server runs once, in this order, before it serves: its children
/// then have what they made, such as tables and loaded libraries. They must leave no threads behind: children
/// are forked. The next start() by "forkserver" has a server that ran exactly these; none takes them away.
/// What escapes from one of them is a RuntimeError of start(). Throws SerializationError (a function object
/// that cannot travel), RuntimeError (generated code). Process-wide; thread-safe. Without effect where the
/// start method does not exist. Python: `set_forkserver_preload`, which takes names of modules.
template <class... F>
requires(...&& std::invocable<F&>) void set_forkserver_preload(F... functions) {
  std::vector<std::unique_ptr<detail::Task>> tasks;
  (tasks.push_back(detail::make_task<false>(std::move(functions))), ...);
  detail::set_forkserver_preload(tasks);
}

/// The package with one start method: as members, what starts processes by it, and the rest of what Python's
/// contexts have. Thread-safe. Python: `multiprocessing.context.BaseContext`.
class MULTIPROCESSING_EXPORT Context {
 public:
  /// Empty: the default at the time of use.
  explicit Context(std::string method);

  template <class F, class... Args>
  requires detail::process_target<F>
  [[nodiscard]] multiprocessing::Process Process(F target, Args&&... args) const;
  template <class F, class... Args>
  requires detail::process_target<F>
  [[nodiscard]] multiprocessing::Process Process(ProcessOptions options, F target, Args&&... args) const;
  [[nodiscard]] multiprocessing::Process Process(ProcessOptions options = {}) const;

  template <class F, class... Args>
  requires detail::callable_argument<F>
  auto call(CallOptions options, F f, Args&&... args) const -> detail::task_result_t<F, Args...> {
    return run_with_timeout(std::move(options), infinite, std::move(f), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  requires detail::callable_argument<F>
  auto call(F f, Args&&... args) const -> detail::task_result_t<F, Args...> {
    return run_with_timeout(CallOptions{}, infinite, std::move(f), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  requires detail::callable_argument<F>
  auto call_async(CallOptions options, F f, Args&&... args) const
      -> Future<detail::task_result_t<F, Args...>> {
    return Future<detail::task_result_t<F, Args...>>(
        detail::call_task_async(start_with(), std::move(options),
                                detail::make_task<true>(std::move(f), std::forward<Args>(args)...)));
  }
  template <class F, class... Args>
  requires detail::callable_argument<F>
  auto call_async(F f, Args&&... args) const -> Future<detail::task_result_t<F, Args...>> {
    return call_async(CallOptions{}, std::move(f), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  auto run_with_timeout(CallOptions options, Duration limit, F f, Args&&... args) const
      -> detail::task_result_t<F, Args...> {
    using R = detail::task_result_t<F, Args...>;
    return detail::decode_result<R>(
        detail::call_task(start_with(), std::move(options),
                          detail::make_task<true>(std::move(f), std::forward<Args>(args)...), limit));
  }
  template <class F, class... Args>
  auto run_with_timeout(Duration limit, F f, Args&&... args) const -> detail::task_result_t<F, Args...> {
    return run_with_timeout(CallOptions{}, limit, std::move(f), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  ProcessContext start_processes(F fn, std::tuple<Args...> args, SpawnOptions options = {}) const {
    options.start_method = get_start_method();
    return multiprocessing::start_processes(std::move(fn), std::move(args), std::move(options));
  }

  /// As the function of the namespace, which always uses "spawn".
  template <class F>
  ProcessContext spawn(F fn, SpawnOptions options = {}) const {
    return multiprocessing::spawn(std::move(fn), std::move(options));
  }
  template <class F, class First, class... Rest>
  ProcessContext spawn(F fn, std::tuple<First, Rest...> args, SpawnOptions options = {}) const {
    return multiprocessing::spawn(std::move(fn), std::move(args), std::move(options));
  }
  template <class F, std::same_as<std::tuple<>> NoArguments>
  ProcessContext spawn(F fn, NoArguments none, SpawnOptions options = {}) const {
    return multiprocessing::spawn(std::move(fn), none, std::move(options));
  }

  [[nodiscard]] std::pair<Connection, Connection> Pipe(bool duplex = true) const {
    return multiprocessing::Pipe(duplex);
  }
  [[nodiscard]] Connection Client(Address address, ClientOptions options = {}, StopToken stop = {}) const {
    return multiprocessing::Client(std::move(address), std::move(options), std::move(stop));
  }
  [[nodiscard]] multiprocessing::Listener Listener(Address address = {}, ListenerOptions options = {}) const {
    return multiprocessing::Listener(std::move(address), std::move(options));
  }
  /// Its workers have this context's start method, whatever `options.context` says.
  [[nodiscard]] multiprocessing::Pool Pool(int processes = multiprocessing::process_cpu_count(),
                                           PoolOptions options = {}) const {
    options.context = PoolContext(method_);
    return multiprocessing::Pool(processes, std::move(options));
  }
  /// The same. Python: `ProcessPoolExecutor(mp_context=…)`.
  [[nodiscard]] multiprocessing::ProcessPoolExecutor ProcessPoolExecutor(
      int max_workers = multiprocessing::process_cpu_count(), PoolOptions options = {}) const {
    options.context = PoolContext(method_);
    return multiprocessing::ProcessPoolExecutor(max_workers, std::move(options));
  }

  [[nodiscard]] multiprocessing::Process& current_process() const {
    return multiprocessing::current_process();
  }
  [[nodiscard]] std::optional<ParentProcess> parent_process() const {
    return multiprocessing::parent_process();
  }
  [[nodiscard]] std::vector<multiprocessing::Process> active_children() const {
    return multiprocessing::active_children();
  }
  [[nodiscard]] int cpu_count() const { return multiprocessing::cpu_count(); }
  [[nodiscard]] int process_cpu_count() const { return multiprocessing::process_cpu_count(); }
  void freeze_support() const { multiprocessing::freeze_support(); }
  void freeze_support(int& argc, char**& argv) const { multiprocessing::freeze_support(argc, argv); }
  [[nodiscard]] StopToken stop_token() const { return multiprocessing::stop_token(); }
  [[noreturn]] void exit(int code) const { multiprocessing::exit(code); }
  [[nodiscard]] Logger get_logger() const { return multiprocessing::get_logger(); }
  Logger log_to_stderr(Level level = Level::notset) const { return multiprocessing::log_to_stderr(level); }

  void set_log_sink(std::function<void(Level, std::string_view)> sink) const {
    multiprocessing::set_log_sink(std::move(sink));
  }
  template <auto F>
  void register_task(std::string_view name) const {
    multiprocessing::register_task<F>(name);
  }
  using TimeLimit = multiprocessing::TimeLimit;
  using SpawnProcess = multiprocessing::SpawnProcess;
  using ForkProcess = multiprocessing::ForkProcess;
  using ForkServerProcess = multiprocessing::ForkServerProcess;

  [[nodiscard]] std::vector<std::string> get_all_start_methods() const;
  [[nodiscard]] std::string get_start_method() const;
  [[nodiscard]] std::optional<std::string> get_start_method(bool allow_none) const;
  /// The default context sets the default; one with a method of its own throws ValueError.
  void set_start_method(std::string_view method, bool force = false) const;
  void set_executable(PathView path, std::vector<std::string> prefix = {}) const {
    multiprocessing::set_executable(std::move(path), std::move(prefix));
  }
  template <class... F>
  requires(...&& std::invocable<F&>) void set_forkserver_preload(F... functions) const {
    multiprocessing::set_forkserver_preload(std::move(functions)...);
  }
  [[nodiscard]] Context& get_context() const;
  [[nodiscard]] Context& get_context(std::string_view method) const;

  /// Lives as long as the context; empty for the default one.
  [[nodiscard]] const char* start_method_name() const noexcept { return method_.c_str(); }

 private:
  [[nodiscard]] detail::StartWith start_with() const noexcept { return {method_.c_str(), "Process"}; }
  std::string method_;
};

/// The default context, whose start method is the one in force when it is used.
[[nodiscard]] MULTIPROCESSING_EXPORT Context& get_context();
/// The context of one start method; leaves the default alone. Lives as long as the program. Throws
/// ValueError (unknown; the message lists the known ones).
[[nodiscard]] MULTIPROCESSING_EXPORT Context& get_context(std::string_view method);

namespace detail {

/// Reaches what Process keeps from its users.
struct MULTIPROCESSING_EXPORT ProcessFactory {
  static Process make(StartWith with, ProcessOptions options, std::unique_ptr<Task> task);
  static Process from_state(std::shared_ptr<ProcessState> state);
  static const std::shared_ptr<ProcessState>& state_of(const Process& process) noexcept;
  static ParentProcess parent(int pid, std::string name);
  static ProcessContext group(std::vector<Process> processes, Duration grace);
  static void stop(ProcessContext& group) noexcept;
};

}  // namespace detail

template <class F, class... Args>
requires detail::process_target<F> multiprocessing::Process Context::Process(ProcessOptions options, F target,
                                                                             Args&&... args)
const {
  return detail::ProcessFactory::make(
      start_with(), std::move(options),
      detail::make_task<false>(std::move(target), std::forward<Args>(args)...));
}

template <class F, class... Args>
requires detail::process_target<F> multiprocessing::Process Context::Process(F target, Args&&... args)
const { return Process(ProcessOptions{}, std::move(target), std::forward<Args>(args)...); }

inline multiprocessing::Process Context::Process(ProcessOptions options) const {
  return detail::ProcessFactory::make(start_with(), std::move(options), nullptr);
}

}  // namespace multiprocessing
