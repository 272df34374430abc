// co_await on what this library brings, in coroutines of Boost.Asio.
//
//   boost::asio::awaitable<void> serve(multiprocessing::Pool& pool) {
//     const int x = co_await multiprocessing::result_of(pool.apply_async(square, 7));
//     co_await multiprocessing::end_of(process);
//     co_await multiprocessing::message_at(connection);      // recv() will not wait
//   }
//
// Each resumes on the coroutine's own executor. Giving up a co_await leaves the work as it is.
#pragma once

#include <multiprocessing/async_result.hpp>
#include <multiprocessing/connection.hpp>
#include <multiprocessing/detail/when_ready.hpp>
#include <multiprocessing/future.hpp>
#include <multiprocessing/process.hpp>

#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace multiprocessing {

namespace detail {

/// Suspends until the function that `begin` is given is called, once and in any thread.
template <class Begin>
boost::asio::awaitable<void> suspend_until(Begin begin) {
  auto initiate = [begin = std::move(begin)](auto handler) mutable {
    const auto executor = boost::asio::get_associated_executor(handler);
    auto kept = std::make_shared<decltype(handler)>(std::move(handler));
    // The work keeps the executor's context running until the coroutine goes on.
    begin([executor, kept, work = boost::asio::make_work_guard(executor)] {
      boost::asio::post(executor, [kept] { std::move (*kept)(); });
    });
  };
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void()>(
      std::move(initiate), boost::asio::use_awaitable);
}

inline boost::asio::awaitable<void> suspend_until_done(std::shared_ptr<FutureCore> core) {
  // A variable, because gcc 12 destroys the captures of a closure that is made inside a co_await twice.
  auto begin = [core](std::function<void()> resume) { core->add_done_callback(std::move(resume)); };
  co_await suspend_until(std::move(begin));
}

inline boost::asio::awaitable<void> suspend_until_ready(Waitable waitable) {
  auto begin = [waitable](std::function<void()> resume) { when_ready(waitable, std::move(resume)); };
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
