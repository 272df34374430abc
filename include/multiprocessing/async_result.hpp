// The result of a task that a pool runs. Python: `multiprocessing.pool.AsyncResult`, `MapResult`.
#pragma once

#include <multiprocessing/duration.hpp>
#include <multiprocessing/errors.hpp>
#include <multiprocessing/future.hpp>
#include <multiprocessing/native_handle.hpp>
#include <multiprocessing/stop_token.hpp>
#include <multiprocessing/wait.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace multiprocessing {

/// Runs a function somewhere else: in the thread of a window, of an event loop.
using Post = std::function<void(std::function<void()>)>;

/// The result of a task that may still run. Copies name the same result; every member of a moved-from object
/// throws ValueError. Thread-safe.
template <class R>
class AsyncResult {
 public:
  explicit AsyncResult(std::shared_ptr<detail::FutureCore> core) noexcept : core_(std::move(core)) {}
  /// Of a task in this process, whose result `value` knows when it is done.
  AsyncResult(std::shared_ptr<detail::FutureCore> core, std::function<R()> value)
      : core_(std::move(core)), value_(std::make_shared<const std::function<R()>>(std::move(value))) {}

  /// Waits for the result, or throws what the task threw: with its own type if that is the standard library's
  /// or ours, else as RemoteError; WorkerDied; TimeoutError (within `timeout`, or of the task itself);
  /// CancelledError. Any number of times.
  R get(Duration timeout = infinite, StopToken stop = {}) const {
    const auto& bytes = core()->bytes(timeout, stop);
    if constexpr (detail::result_travels<R>) {
      if (value_ == nullptr) return detail::decode_result<R>(bytes);
    }
    return (*value_)();
  }
  /// Waits until the result is there; false if the time was over first. Throws CancelledError.
  bool wait(Duration timeout = infinite, StopToken stop = {}) const { return core()->wait(timeout, stop); }
  [[nodiscard]] bool ready() const { return core()->done(); }
  /// Whether it ended without an exception. Throws ValueError while it is not ready.
  [[nodiscard]] bool successful() const {
    if (!ready()) throw ValueError("successful(): the result is not ready");
    return exception() == nullptr;
  }
  /// Stops the task, also while it runs: then its worker is stopped and replaced. True unless it had ended.
  bool cancel() const { return core()->cancel(); }

  /// Calls `f` with the result once it is there, at once if it is; not after a failure. In this thread, or in
  /// one of the library's that does nothing else; with via() where that posts it. What `f` throws is logged.
  /// Python: `callback`.
  template <std::invocable<R> F>
  requires(!std::is_void_v<R>) const AsyncResult& on_success(F f) const {
    return when_done([f = std::move(f)](const AsyncResult& self) mutable {
      if (self.successful()) f(self.get());
    });
  }
  template <std::invocable<> F>
  requires std::is_void_v<R>
  const AsyncResult& on_success(F f) const {
    return when_done([f = std::move(f)](const AsyncResult& self) mutable {
      if (self.successful()) f();
    });
  }
  /// The same for a failure. Python: `error_callback`.
  template <std::invocable<std::exception_ptr> F>
  const AsyncResult& on_error(F f) const {
    return when_done([f = std::move(f)](const AsyncResult& self) mutable {
      if (const auto error = self.exception()) f(error);
    });
  }
  /// The same result, whose callbacks run where `post` puts them.
  [[nodiscard]] AsyncResult via(Post post) const {
    static_cast<void>(core());
    AsyncResult copy = *this;
    copy.post_ = std::make_shared<const Post>(std::move(post));
    return copy;
  }

  /// For connection::wait(): ready when the result is. Valid as long as a copy of this lives.
  [[nodiscard]] Waitable waitable() const {
    return Waitable(NativeHandle((NativeHandle::native_type)core()->waitable()));
  }
  operator Waitable() const { return waitable(); }

  [[nodiscard]] const std::shared_ptr<detail::FutureCore>& core() const {
    if (core_ == nullptr) throw ValueError("the result was moved from");
    return core_;
  }

 private:
  [[nodiscard]] std::exception_ptr exception() const {
    try {
      return core()->exception(infinite, {});
    } catch (const CancelledError&) {
      return std::current_exception();
    }
  }

  template <class F>
  const AsyncResult& when_done(F f) const {
    auto call = std::make_shared<F>(std::move(f));
    core()->add_done_callback([self = *this, call] {
      if (self.post_ == nullptr) return (*call)(self);
      (*self.post_)([self, call] { (*call)(self); });
    });
    return *this;
  }

  std::shared_ptr<detail::FutureCore> core_;
  std::shared_ptr<const std::function<R()>> value_;
  std::shared_ptr<const Post> post_;
};

}  // namespace multiprocessing
