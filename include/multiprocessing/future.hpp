// Results that are not there yet. Python: `concurrent.futures.Future`.
#pragma once

#include <multiprocessing/detail/export.hpp>
#include <multiprocessing/detail/task.hpp>
#include <multiprocessing/duration.hpp>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/stop_token.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace multiprocessing {

namespace detail {

/// Tells which of many futures are done, in their order. Thread-safe.
class MULTIPROCESSING_EXPORT DoneSignal {
 public:
  DoneSignal();
  DoneSignal(const DoneSignal&) = delete;
  DoneSignal& operator=(const DoneSignal&) = delete;
  ~DoneSignal();
  /// Before each done(), which then needs no memory.
  void expect_one();
  void done(std::size_t index) noexcept;
  /// Waits for one that was not answered yet; nullopt when the time is over. Throws CancelledError.
  [[nodiscard]] std::optional<std::size_t> next(Duration timeout, const StopToken& stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What is left of a time that began with this object.
class MULTIPROCESSING_EXPORT TimeLeft {
 public:
  explicit TimeLeft(Duration whole) noexcept;
  [[nodiscard]] Duration remaining() const noexcept;

 private:
  Duration whole_;
  std::chrono::steady_clock::time_point begun_;
};

/// Who brings results, where somebody who waits for one may lend a hand.
class MULTIPROCESSING_EXPORT ResultSource {
 public:
  virtual ~ResultSource() = default;
  /// For moments, and as long as that paid lately: takes what has come, until `found()` or the time is over.
  virtual void look(const std::function<bool()>& found, Duration timeout) noexcept = 0;
};

class CallbackMark;

/// The untyped half of a Future: bytes or an exception, who waits for it, who wants to be called.
/// Thread-safe.
class MULTIPROCESSING_EXPORT FutureCore {
 public:
  FutureCore();
  FutureCore(const FutureCore&) = delete;
  FutureCore& operator=(const FutureCore&) = delete;
  ~FutureCore();

  /// The first of these two decides; later ones are ignored (false).
  bool set_result(std::vector<std::byte> bytes);
  bool set_exception(std::exception_ptr exception);
  /// An exception that is made when somebody asks for it, in his thread.
  bool set_failure(std::function<std::exception_ptr()> make);
  /// Who is asked to look before somebody is put to sleep. Before anybody waits.
  void set_source(std::weak_ptr<ResultSource> source);
  /// Whose callbacks its own are. Before there are any.
  void set_callback_mark(std::shared_ptr<CallbackMark> mark);
  /// What cancel() does to the work itself.
  void on_cancel(std::function<void()> stop_work);
  /// True if the work was still going on, or was cancelled before: the future answers CancelledError.
  bool cancel();

  /// Somebody has begun the work, or is about to.
  void set_running() noexcept;
  [[nodiscard]] bool running() const;
  [[nodiscard]] bool done() const;
  [[nodiscard]] bool cancelled() const;
  /// Waits; false when the time is over. Throws CancelledError if `stop` was set.
  bool wait(Duration timeout, const StopToken& stop) const;
  /// Waits, then the bytes, or throws what the work threw, CancelledError, or TimeoutError.
  const std::vector<std::byte>& bytes(Duration timeout, const StopToken& stop) const;
  [[nodiscard]] std::exception_ptr exception(Duration timeout, const StopToken& stop) const;
  void add_done_callback(std::function<void()> callback);
  /// Calls `signal->done(index)` when it is done, at once if it is.
  void when_done(std::shared_ptr<DoneSignal> signal, std::size_t index);
  /// Whether it is done and has no result, for another reason than cancel().
  [[nodiscard]] bool failed() const;
  /// A handle that is ready once the result is there; open as long as this lives. Throws OSError.
  [[nodiscard]] std::intptr_t waitable() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace detail

/// The result of work in another process. A copy names the same result; every member of a moved-from object
/// throws ValueError. Thread-safe.
template <class R>
class Future {
 public:
  explicit Future(std::shared_ptr<detail::FutureCore> core) noexcept : core_(std::move(core)) {}

  /// Waits for the result, or throws what the work threw; any number of times. Throws CancelledError,
  /// TimeoutError.
  R result(Duration timeout = infinite, StopToken stop = {}) const {
    return detail::decode_result<R>(core()->bytes(timeout, stop));
  }
  /// Waits; null if there was none. Throws CancelledError, TimeoutError.
  [[nodiscard]] std::exception_ptr exception(Duration timeout = infinite, StopToken stop = {}) const {
    return core()->exception(timeout, stop);
  }
  [[nodiscard]] bool done() const { return core()->done(); }
  /// Whether a worker was given the work and it is not done. As in Python it may wait at that worker for
  /// other work, and once true it stays so until done(), whatever becomes of the worker.
  [[nodiscard]] bool running() const { return core()->running(); }
  /// Stops the work; true unless it had ended. Python cannot do that to work that has begun.
  bool cancel() { return core()->cancel(); }
  [[nodiscard]] bool cancelled() const { return core()->cancelled(); }
  /// Called with this future when it is done — at once, in this thread, if it is — else in a thread of the
  /// library that does nothing else. It may start processes and wait for futures, but not for another
  /// callback: they run one after the other. Must not throw.
  void add_done_callback(std::function<void(Future)> callback) {
    core()->add_done_callback([callback = std::move(callback), copy = *this] { callback(copy); });
  }

  [[nodiscard]] const std::shared_ptr<detail::FutureCore>& core() const {
    if (core_ == nullptr) throw ValueError("the future was moved from");
    return core_;
  }

 private:
  std::shared_ptr<detail::FutureCore> core_;
};

}  // namespace multiprocessing
