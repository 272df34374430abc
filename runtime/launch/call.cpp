// One call in a process of its own: the process, the wait for its result, and what is thrown in its place.
#include <multiprocessing/call.hpp>

#include <functional>
#include <utility>

#include "launch/calls_under_way.hpp"
#include "launch/end_watch.hpp"
#include "launch/process_state.hpp"
#include "launch/raised.hpp"
#include "launch/symbolize.hpp"
#include "support/deadline.hpp"
#include "support/errors.hpp"
#include "support/reactor.hpp"

namespace multiprocessing::detail {
namespace {

/// How long a call that is over time gets to end by itself before it is killed.
constexpr std::chrono::seconds grace(1);

/// A task whose result is wanted, as the start methods see it.
class CalledTask : public runtime::Subject {
 public:
  CalledTask(Task& task, ProcessState& state) noexcept : task_(task), state_(state) {}
  [[nodiscard]] ChildTarget target() const override { return {task_.target(), "of a call"}; }
  void encode(Encoder& encoder) const override { task_.encode(encoder); }
  void run(Encoder* result) override { task_.run(result); }
  void now_in_child() noexcept override { state_.become_self(); }

 private:
  Task& task_;
  ProcessState& state_;
};

std::shared_ptr<ProcessState> start_call(StartWith with, const CallOptions& options, Task& task,
                                         platform::Deadline deadline) {
  auto state = std::make_shared<ProcessState>(with, options.process, nullptr);
  CalledTask subject(task, *state);
  state->start(subject, true, options.stop, deadline);
  return state;
}

std::exception_ptr rebuilt(const runtime::ExceptionReport& raised) {
  return runtime::rebuild_exception(raised, runtime::symbolize(raised.frames));
}

/// What the caller gets instead of a result; null if there is a result.
std::exception_ptr failure_of(ProcessState& state, const runtime::ChildReport& report) {
  if (report.raised != nullptr) return rebuilt(*report.raised);
  if (report.result) return nullptr;
  return std::make_exception_ptr(runtime::exited_exception(state, 0));
}

/// Reads the result; then the child's handles may go.
class Reader {
 public:
  explicit Reader(ProcessState& state) noexcept : state_(state) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { state_.done_reading(); }

 private:
  ProcessState& state_;
};

[[noreturn]] void throw_over_time(ProcessState& state, Duration limit) {
  const auto seconds = std::chrono::duration<double>(limit.nanoseconds()).count();
  throw TimeoutError("the call in process " + std::to_string(state.pid().value_or(0)) + " took longer than " +
                     std::to_string(seconds) + " s and was stopped");
}

}  // namespace

std::vector<std::byte> call_task(StartWith with, CallOptions options, std::unique_ptr<Task> task,
                                 Duration timeout) {
  const auto deadline = runtime::deadline_after(timeout);
  const auto state = start_call(with, options, *task, deadline);
  const Reader reader(*state);
  try {
    if (!state->join_reading(deadline, options.stop)) {
      state->stop(grace, {});
      throw_over_time(*state, timeout);
    }
  } catch (const CancelledError&) {
    state->stop(grace, {});
    throw;
  } catch (...) {
    state->kill_quietly();
    throw;
  }
  auto report = state->take_report();
  if (const auto failure = failure_of(*state, report)) std::rethrow_exception(failure);
  return std::move(*report.result);
}

namespace {

/// Follows one call until its process has ended; all of it in the reactor's thread.
class AsyncCall : public std::enable_shared_from_this<AsyncCall> {
 public:
  AsyncCall(std::shared_ptr<ProcessState> state, std::shared_ptr<FutureCore> future, StopToken stop)
      : state_(std::move(state)),
        future_(std::move(future)),
        stop_(std::move(stop), [cancelled = std::weak_ptr(future_)] {
          if (const auto still_wanted = cancelled.lock()) still_wanted->cancel();
        }) {}

  /// Throws OSError.
  void begin() {
    auto& loop = runtime::reactor();
    const auto self = shared_from_this();
    ended_ = runtime::EndWatch::begin(state_, [self] { return self->ended(); });
    const auto control = state_->control_handle();
    if (control == platform::no_handle) return;
    sent_ = runtime::value_or_throw(loop.watch(control, [self] { return self->sent(); }), "a call");
  }

  void fail(std::exception_ptr failure) {
    if (state_) state_->kill_quietly();
    close();
    future_->set_exception(std::move(failure));
  }

 private:
  /// The process has ended.
  bool ended() {
    return follow([] { return true; });
  }
  /// The process has sent something. Once it sends no more, its end alone is of interest.
  bool sent() {
    return follow([this] { return state_->control_handle() != platform::no_handle; });
  }

  /// Looks at the process; until it has ended `goes_on` says whether to look again. A lack of memory is the
  /// call's: nothing may escape into the reactor.
  template <class GoesOn>
  bool follow(GoesOn goes_on) noexcept {
    const auto self = shared_from_this();  // the watches that are given up hold the others
    try {
      if (!state_->advance()) return goes_on();
      finish();
    } catch (...) {
      fail(std::current_exception());
    }
    return false;
  }

  void finish() {
    auto report = state_->take_report();
    if (report.raised != nullptr) {
      // Whoever asks makes the exception: to find the names of its frames takes long.
      std::function<std::exception_ptr()> make = [raised = report.raised] { return rebuilt(*raised); };
      close();
      future_->set_failure(std::move(make));
    } else if (report.result) {
      close();
      future_->set_result(*std::move(report.result));
    } else {
      auto failure = std::make_exception_ptr(runtime::exited_exception(*state_, 0));
      close();
      future_->set_exception(std::move(failure));
    }
  }

  /// Before anybody learns that the call is done.
  void close() noexcept {
    if (ended_) ended_->cancel();
    runtime::reactor().cancel(sent_);
    if (!state_) return;
    state_->done_reading();
    state_.reset();
  }

  std::shared_ptr<runtime::EndWatch> ended_;
  platform::EventLoop::Id sent_ = 0;
  std::shared_ptr<ProcessState> state_;
  std::shared_ptr<FutureCore> future_;
  StopCallback stop_;
  runtime::CallUnderWay counted_;
};

}  // namespace

std::shared_ptr<FutureCore> call_task_async(StartWith with, CallOptions options, std::unique_ptr<Task> task) {
  auto& loop = runtime::reactor();  // first: a process that nobody can follow shall not be started
  auto future = std::make_shared<FutureCore>();
  const auto state = start_call(with, options, *task, platform::Deadline::never());
  try {
    future->set_running();
    future->on_cancel([state] { state->kill_quietly(); });
    loop.post([call = std::make_shared<AsyncCall>(state, future, std::move(options.stop))] {
      try {
        call->begin();
      } catch (...) {
        call->fail(std::current_exception());
      }
    });
  } catch (...) {
    state->kill_quietly();
    state->done_reading();
    throw;
  }
  return future;
}

}  // namespace multiprocessing::detail
