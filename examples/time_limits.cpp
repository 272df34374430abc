// Three time limits: for code that cannot be trusted, for a thread, and for code that watches its own clock.
#include <multiprocessing/multiprocessing.hpp>

#include <chrono>
#include <future>
#include <iostream>
#include <thread>

namespace mp = multiprocessing;
using namespace std::chrono_literals;

long count_to(long last) {
  long sum = 0;
  for (long i = 1; i <= last; ++i) sum += i;
  return sum;
}

volatile bool busy = true;

long count_for_ever() {
  long count = 0;
  while (busy) ++count;
  return count;
}

/// A process of its own can always be stopped, whatever it does.
void limit_by_process() {
  std::cout << "by process: " << mp::run_with_timeout(60s, count_to, 1000) << std::endl;
  try {
    mp::run_with_timeout(200ms, count_for_ever);
  } catch (const mp::TimeoutError&) {
    std::cout << "by process: stopped" << std::endl;
  }
}

/// A thread cannot be stopped from outside. One can stop waiting for it, and ask it to end.
void limit_by_thread() {
  mp::StopSource stop;
  std::promise<long> rounds;
  std::thread worker([&rounds, token = stop.token()] {
    long count = 0;
    while (!token.stop_requested()) ++count;
    rounds.set_value(count);
  });
  std::future<long> result = rounds.get_future();
  if (result.wait_for(200ms) == std::future_status::timeout)
    std::cout << "by thread: late, asked to end" << std::endl;
  stop.request_stop();
  worker.join();
  std::cout << "by thread: ended" << std::endl;
}

/// Code that calls check() now and then needs no process and no thread. Limits nest: the shorter one counts.
void limit_by_check() {
  const mp::TimeLimit outer(60s);
  try {
    const mp::TimeLimit inner(200ms);
    for (;;) inner.check();
  } catch (const mp::TimeOutException&) {
    std::cout << "by check: the inner limit is over, the outer one is " << (outer.expired() ? "too" : "not")
              << std::endl;
  }
}

int main() {
  mp::freeze_support();
  limit_by_process();
  limit_by_thread();
  limit_by_check();
}
