// A group of processes that succeed or fail together: the shape of `torch.multiprocessing.spawn`.
#pragma once

#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/task.hpp>
#include <multiprocessing/duration.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/stop_token.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace multiprocessing {

struct SpawnOptions {
  int nprocs = 1;
  bool join = true;
  bool daemon = false;
  /// How the processes are started; spawn() always uses "spawn".
  std::string start_method = "spawn";
  /// How long the others get to end after terminate() when one has failed, before kill().
  Duration grace = std::chrono::seconds(30);
  /// Gives up starting and, when `join` is set, waiting inside spawn(); the processes are stopped then.
  StopToken stop = {};
};

/// The processes of one group. Movable; every member of a moved-from object throws ValueError. One thread at
/// a time.
class MULTIPROCESSING_EXPORT ProcessContext {
 public:
  ProcessContext(ProcessContext&&) noexcept;
  ProcessContext& operator=(ProcessContext&&) noexcept;
  ~ProcessContext();  ///< neither waits nor kills

  /// Waits until all have ended; true. The first that fails: the others are stopped, and
  /// ProcessRaisedException or ProcessExitedException is thrown. Throws CancelledError.
  bool join(StopToken stop = {});
  /// Waits until one has ended or the time is over: true if all have ended, false if some still run. Throws
  /// as above.
  bool join(Duration timeout, StopToken stop = {});
  [[nodiscard]] std::vector<int> pids() const;
  [[nodiscard]] std::vector<Process>& processes();

 private:
  friend struct detail::ProcessFactory;
  struct State;
  explicit ProcessContext(std::unique_ptr<State> state) noexcept;
  [[nodiscard]] State& usable() const;
  std::unique_ptr<State> state_;
};
using SpawnContext = ProcessContext;

namespace detail {

/// Starts one process for each task, in order; if one cannot be started those before it are stopped. Joins
/// if the options say so.
MULTIPROCESSING_EXPORT ProcessContext start_group(std::vector<std::unique_ptr<Task>> tasks,
                                                  SpawnOptions options);
/// Throws ValueError unless there is at least one process.
MULTIPROCESSING_EXPORT void check_group_size(int nprocs);

}  // namespace detail

/// Starts `options.nprocs` processes, each calling `fn(i, args...)` with its number from 0, by the start
/// method of the options. Throws ValueError, and as Process::start() and ProcessContext::join().
template <class F, class... Args>
ProcessContext start_processes(F fn, std::tuple<Args...> args, SpawnOptions options = {}) {
  detail::check_group_size(options.nprocs);
  std::vector<std::unique_ptr<detail::Task>> tasks;
  for (int i = 0; i < options.nprocs; ++i)
    tasks.push_back(
        std::apply([&](const auto&... each) { return detail::make_task<false>(fn, int(i), each...); }, args));
  return detail::start_group(std::move(tasks), std::move(options));
}

/// The same, always by "spawn", in which nothing of this process but the arguments is in the children.
template <class F>
ProcessContext spawn(F fn, SpawnOptions options = {}) {
  options.start_method = "spawn";
  return start_processes(std::move(fn), std::tuple<>(), std::move(options));
}
template <class F, class First, class... Rest>
ProcessContext spawn(F fn, std::tuple<First, Rest...> args, SpawnOptions options = {}) {
  options.start_method = "spawn";
  return start_processes(std::move(fn), std::move(args), std::move(options));
}
/// A template, so that `{}` means the options.
template <class F, std::same_as<std::tuple<>> NoArguments>
ProcessContext spawn(F fn, NoArguments, SpawnOptions options = {}) {
  return spawn(std::move(fn), std::move(options));
}

}  // namespace multiprocessing
