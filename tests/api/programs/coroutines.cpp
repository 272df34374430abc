// ctest: timeout=120
// co_await on results, futures, the end of a process and messages, in coroutines of Boost.Asio.
#include <multiprocessing/adapters/asio.hpp>
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "test_support/verdict.hpp"

namespace mp = multiprocessing;
namespace asio = boost::asio;

namespace {

int square(int x) { return x * x; }
int throws(int) { throw std::domain_error("no"); }
void answer(mp::Connection connection) { connection.send(connection.recv<int>() + 1); }

std::string failure;
void expect(bool holds, const char* what) {
  if (!holds && failure.empty()) failure = what;
}

asio::awaitable<void> results(mp::Pool& pool) {
  const auto here = std::this_thread::get_id();
  expect(co_await mp::result_of(pool.apply_async(square, 7)) == 49, "the result of a task");
  expect(std::this_thread::get_id() == here, "the coroutine goes on in its own context");
  auto done = pool.apply_async(square, 3);
  done.wait();
  expect(co_await mp::result_of(done) == 9, "a result that is there already");
  expect(co_await mp::result_of(mp::call_async(square, 5)) == 25, "the result of a future");
  bool thrown = false;
  try {
    co_await mp::result_of(pool.apply_async(throws, 1));
  } catch (const std::domain_error&) {
    thrown = true;
  }
  expect(thrown, "what the task threw");
}

asio::awaitable<void> processes() {
  auto [ours, theirs] = mp::Pipe();
  mp::Process process(answer, theirs);
  process.start();
  theirs.close();
  ours.send(1);
  co_await mp::message_at(ours);
  expect(ours.poll(), "the message is there");
  expect(ours.recv<int>() == 2, "the message");
  co_await mp::end_of(process);
  expect(!process.is_alive(), "the process has ended");
  process.join();
}

int receive(mp::Connection connection) { return connection.recv<int>(); }

/// A wait that another one ends leaves what it waited for as it is.
asio::awaitable<void> given_up() {
  using namespace asio::experimental::awaitable_operators;
  auto [ours, theirs] = mp::Pipe();
  auto received = mp::call_async(receive, theirs);
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
  auto at_result = mp::result_of(received);
  auto first = co_await (std::move(at_result) || timer.async_wait(asio::use_awaitable));
  expect(first.index() == 1, "the result is not waited for any more");
  timer.expires_after(std::chrono::milliseconds(1));
  auto at_message = mp::message_at(ours);
  auto second = co_await (std::move(at_message) || timer.async_wait(asio::use_awaitable));
  expect(second.index() == 1, "the message is not waited for any more");
  ours.send(5);
  expect(co_await mp::result_of(received) == 5, "the task went on");
}

asio::awaitable<void> waits_for_message(const mp::Connection& connection, std::shared_ptr<int> held) {
  co_await mp::message_at(connection);
  expect(held == nullptr, "the context that it was in has ended");
}

void context_ends_first() {
  auto [ours, theirs] = mp::Pipe();
  const auto held = std::make_shared<int>(0);
  {
    asio::io_context context;
    asio::co_spawn(context, waits_for_message(ours, held), asio::detached);
    context.poll();
    expect(held.use_count() > 1, "it waits");
  }
  expect(held.use_count() == 1, "it went with its context");
  theirs.send(1);
  asio::io_context later;
  asio::co_spawn(later, waits_for_message(ours, nullptr), asio::detached);
  later.run();
  expect(ours.recv<int>() == 1, "the message is still there");
}

}  // namespace

int main() {
  mp::freeze_support();
  mp::Pool pool(2);
  asio::io_context context;
  int finished = 0;
  const auto note = [&](const std::exception_ptr& error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const std::exception& leaves) {
      std::printf("wrong: it ended with %s\n", leaves.what());
      expect(false, "no exception leaves a coroutine");
    }
    ++finished;
  };
  asio::co_spawn(context, results(pool), note);
  asio::co_spawn(context, processes(), note);
  asio::co_spawn(context, given_up(), note);
  context.run();
  expect(finished == 3, "the coroutines came to their end");
  context_ends_first();
  if (!failure.empty()) std::printf("wrong: %s\n", failure.c_str());
  return mp::test_support::verdict(failure.empty() ? 0 : 1);
}
