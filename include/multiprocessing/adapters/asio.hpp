// co_await on what this library brings, in coroutines of Boost.Asio.
//
//   boost::asio::awaitable<void> serve(multiprocessing::Pool& pool) {
//     const int x = co_await multiprocessing::result_of(pool.apply_async(square, 7));
//     co_await multiprocessing::end_of(process);
//     co_await multiprocessing::message_at(connection);      // recv() will not wait
//   }
//
// Each resumes on the coroutine's own executor. A co_await can be given up, by Asio's cancellation slots (as
// the operators || and && use them) or by the end of the context; that leaves the work as it is.
#pragma once

#include <multiprocessing/async_result.hpp>
#include <multiprocessing/connection.hpp>
#include <multiprocessing/detail/when_ready.hpp>
#include <multiprocessing/future.hpp>
#include <multiprocessing/process.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace multiprocessing {

namespace detail {

/// What the coroutines of one context wait for. With the context the waits end: who comes later finds
/// nothing.
class Suspensions : public boost::asio::execution_context::service {
 public:
  inline static boost::asio::execution_context::id id;

  class Suspended {
   public:
    virtual ~Suspended() = default;
    virtual void go_on(std::exception_ptr failure) = 0;
    std::function<void()> give_up;  ///< the wait; may be null
  };

  class List {
   public:
    /// 0 if the context has ended.
    std::uint64_t add(std::unique_ptr<Suspended> suspended) {
      const std::scoped_lock lock(mutex_);
      if (closed_) return 0;
      waiting_.emplace(++last_, std::move(suspended));
      return last_;
    }
    void can_be_given_up(std::uint64_t number, std::function<void()> give_up) {
      const std::scoped_lock lock(mutex_);
      const auto place = waiting_.find(number);
      if (place != waiting_.end()) place->second->give_up = std::move(give_up);
    }
    void resume(std::uint64_t number) {
      const std::scoped_lock lock(mutex_);  // the context does not end meanwhile
      if (const auto suspended = take(number)) suspended->go_on(nullptr);
    }
    /// In the context's own threads.
    void give_up(std::uint64_t number, std::exception_ptr failure) {
      std::unique_lock lock(mutex_);
      const auto suspended = take(number);
      lock.unlock();
      if (suspended == nullptr) return;
      if (suspended->give_up) suspended->give_up();
      suspended->go_on(std::move(failure));
    }
    void close() {
      std::map<std::uint64_t, std::unique_ptr<Suspended>> dropped;
      {
        const std::scoped_lock lock(mutex_);
        closed_ = true;
        dropped.swap(waiting_);
      }
      for (const auto& [number, suspended] : dropped)
        if (suspended->give_up) suspended->give_up();
    }

   private:
    std::unique_ptr<Suspended> take(std::uint64_t number) {
      const auto place = waiting_.find(number);
      if (place == waiting_.end()) return nullptr;
      auto suspended = std::move(place->second);
      waiting_.erase(place);
      return suspended;
    }

    std::mutex mutex_;
    bool closed_ = false;
    std::uint64_t last_ = 0;
    std::map<std::uint64_t, std::unique_ptr<Suspended>> waiting_;
  };

  explicit Suspensions(boost::asio::execution_context& context)
      : boost::asio::execution_context::service(context) {}
  [[nodiscard]] const std::shared_ptr<List>& list() const noexcept { return list_; }

 private:
  void shutdown() override { list_->close(); }
  std::shared_ptr<List> list_ = std::make_shared<List>();
};

/// A coroutine; its work keeps the context running until it goes on.
template <class Handler>
class SuspendedHandler final : public Suspensions::Suspended {
 public:
  explicit SuspendedHandler(Handler handler)
      : handler_(std::move(handler)), work_(boost::asio::get_associated_executor(handler_)) {}
  void go_on(std::exception_ptr failure) override {
    const auto executor = boost::asio::get_associated_executor(handler_);
    boost::asio::post(executor,
                      [handler = std::move(handler_), failure]() mutable { std::move(handler)(failure); });
  }

 private:
  using Executor = boost::asio::associated_executor_t<Handler>;
  Handler handler_;
  boost::asio::executor_work_guard<Executor> work_;
};

/// Suspends until the function that `begin` is given is called, once and in any thread, or until the wait is
/// given up: by the handler's cancellation slot, or because the context ends. `begin` returns what ends the
/// wait before its time, or null.
template <class Begin>
boost::asio::awaitable<void> suspend_until(Begin begin) {
  auto initiate = [begin = std::move(begin)](auto handler) mutable {
    auto& context =
        boost::asio::query(boost::asio::get_associated_executor(handler), boost::asio::execution::context);
    const auto list = boost::asio::use_service<Suspensions>(context).list();
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    const auto number = list->add(std::make_unique<SuspendedHandler<decltype(handler)>>(std::move(handler)));
    if (number == 0) return;
    if (slot.is_connected())
      slot.assign([list, number](boost::asio::cancellation_type type) {
        if (type == boost::asio::cancellation_type::none) return;
        list->give_up(number, std::make_exception_ptr(
                                  boost::system::system_error(boost::asio::error::operation_aborted)));
      });
    try {
      list->can_be_given_up(number, begin([weak = std::weak_ptr(list), number] {
                              if (const auto waiting = weak.lock()) waiting->resume(number);
                            }));
    } catch (...) {
      list->give_up(number, std::current_exception());
    }
  };
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void(std::exception_ptr)>(
      std::move(initiate), boost::asio::use_awaitable);
}

inline boost::asio::awaitable<void> suspend_until_done(std::shared_ptr<FutureCore> core) {
  // A variable, because gcc 12 destroys the captures of a closure that is made inside a co_await twice.
  auto begin = [core](std::function<void()> resume) {
    core->add_done_callback(std::move(resume));
    return std::function<void()>();
  };
  co_await suspend_until(std::move(begin));
}

inline boost::asio::awaitable<void> suspend_until_ready(Waitable waitable) {
  auto begin = [waitable](std::function<void()> resume) { return when_ready(waitable, std::move(resume)); };
  co_await suspend_until(std::move(begin));
}

}  // namespace detail

/// The result, or what the task threw.
template <class R>
boost::asio::awaitable<R> result_of(AsyncResult<R> result) {
  co_await detail::suspend_until_done(result.core());
  co_return result.get();
}
template <class R>
boost::asio::awaitable<R> result_of(Future<R> future) {
  co_await detail::suspend_until_done(future.core());
  co_return future.result();
}

/// The process has ended. It must not be closed meanwhile. Throws ValueError before start().
inline boost::asio::awaitable<void> end_of(const Process& process) {
  co_await detail::suspend_until_ready(process.sentinel());
}

/// A message, or the end, has begun to come. The connection must not be closed meanwhile.
inline boost::asio::awaitable<void> message_at(const Connection& connection) {
  co_await detail::suspend_until_ready(connection);
}

}  // namespace multiprocessing
